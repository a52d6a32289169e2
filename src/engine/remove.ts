import { messageOf, UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { stopDaemon } from './daemon.ts'
import { engineLeftovers } from './describe.ts'
import { ensureEngine } from './ensure.ts'
import { removeDockerRules } from './firewall.ts'
import { withLock } from './lock.ts'
import { isRunning, type Machine, readText, remove, thisMachine } from './machine.ts'
import { purgePackages } from './packages.ts'
import { type EngineRecord, readRecord, removeRecord } from './record.ts'
import { unseal } from './seal.ts'
import { withSystemPath } from './system-path.ts'
import { engineVersion } from './version.ts'

/**
 * Undoes exactly what the record says was done for the engine: stops the dockerd that we started, purges the packages that we installed, deletes
 * the folders that did not exist before, and puts kernel settings and the firewall back. An engine of the user's is not touched.
 *
 * @returns what was removed, for people; empty when there was nothing to do
 * @throws UnsupportedError ENGINE_IN_USE while containers run that are not a cluster's of ours
 */
export async function removeEngine(host: Host, machine: Machine = thisMachine): Promise<string[]> {
  await reviveEngine(host, machine)
  return await withLock(host, machine, 'engine', async () => {
    // Read after that: it may name another process now.
    const record = await readRecord(host, machine)
    if (record === undefined) return []
    await refuseWhileUsed(host)
    const before = await engineLeftovers(host, machine)
    await unseal(host).catch((error: unknown) => {
      // Without nft nothing can ever have been sealed: an installation that broke off half-way.
      if (!(error instanceof UnsupportedError)) host.log.warning(`cleanup: ${messageOf(error)}`)
    })
    if (record.daemon !== undefined) await stopDaemon(host, machine, record.daemon)
    else if (record.packages.length > 0) await stopService(host)
    else return []
    const networks = await bridgesOfDocker(host)
    await unmountBelow(host, machine, record)
    for (const bridge of networks) await host.exec.run('ip', ['link', 'delete', bridge], quietly(host))
    await removeDockerRules(host, record.firewall)
    const kept = await purgePackages(host, machine, record.packages, {
      keepData: !record.created.includes('/var/lib/docker'),
    })
    if (kept.length > 0) host.log.notice(`kept, because other packages need them by now: ${kept.join(', ')}`)
    const stays = (name: string) => kept.includes(name)
    for (const path of record.created) {
      // What a package that stays works with stays too.
      if (!stays(path.includes('containerd') ? 'containerd' : 'docker.io')) await remove(machine, path)
    }
    if (record.createdGroup && !stays('docker.io')) await host.exec.run('groupdel', ['docker'], quietly(host))
    await restoreSysctls(host, machine, record)
    await removeRecord(host, machine)
    return before
  })
}

function quietly(host: Host) {
  return { quiet: true, allowFailure: true, env: withSystemPath(host.env) } as const
}

/**
 * A dockerd that was killed leaves its containers running, with nobody to stop them. Starting it again takes a second, and then everything of it can be
 * seen and stopped in order.
 */
async function reviveEngine(host: Host, machine: Machine): Promise<void> {
  const record = await readRecord(host, machine)
  if (record?.daemon === undefined || (await isRunning(machine, record.daemon))) return
  await ensureEngine(host, { install: false, machine }).catch((error: unknown) => {
    host.log.warning(`cleanup: the engine does not start any more: ${messageOf(error)}`)
  })
}

/** Stopping the engine would end whatever else somebody runs in it. */
async function refuseWhileUsed(host: Host): Promise<void> {
  if ((await engineVersion(host)) === undefined) return
  const { stdout } = await host.exec.run('docker', ['ps', '--format', '{{.Names}}'], { quiet: true })
  const names = stdout.split('\n').filter((name) => name !== '')
  if (names.length === 0) return
  throw new UnsupportedError(`Docker is still running ${names.length} container(s): ${names.join(', ')}`, {
    code: 'ENGINE_IN_USE',
    hint: 'Delete the clusters with `k8s-platform down` and stop what else runs (docker stop), then run `down --all` again.',
  })
}

async function stopService(host: Host): Promise<void> {
  const units = ['docker.service', 'docker.socket', 'containerd.service']
  // Without systemd there is no service: an installation that broke off before dockerd was started.
  await host.exec.run('systemctl', ['stop', ...units], { ...quietly(host), timeoutMs: 120_000 }).catch(() => undefined)
}

/** docker0 and the bridges of networks that were never removed: dockerd leaves them standing. */
async function bridgesOfDocker(host: Host): Promise<string[]> {
  const { stdout } = await host.exec.run('ip', ['-json', 'link', 'show', 'type', 'bridge'], { quiet: true })
  const links = JSON.parse(stdout.trim() === '' ? '[]' : stdout) as { ifname: string }[]
  return links.map((link) => link.ifname).filter((name) => /^(docker0|kp-sealed0|br-[0-9a-f]{12})$/.test(name))
}

/** Overlay, shm and namespace mounts of containers that a killed dockerd could not take down; deepest first. */
async function unmountBelow(host: Host, machine: Machine, record: EngineRecord): Promise<void> {
  const roots = record.created.filter((path) => path.startsWith('/var/lib/') || path.startsWith('/run/'))
  const mounts = ((await readText(machine, '/proc/self/mounts')) ?? '')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((target) => roots.some((root) => target === root || target.startsWith(`${root}/`)))
  for (const target of mounts.reverse()) await host.exec.run('umount', [target], quietly(host))
}

async function restoreSysctls(host: Host, machine: Machine, record: EngineRecord): Promise<void> {
  for (const [name, value] of Object.entries(record.sysctls)) {
    const now = await readText(machine, `/proc/sys/${name}`)
    if (now !== undefined && now.trim() !== value) {
      await host.exec.run('sysctl', ['-q', '-w', `${name.replaceAll('/', '.')}=${value}`], quietly(host))
    }
  }
}
