import { NotReadyError, UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { waitFor } from '../process/wait.ts'
import { missingCapabilities, missingHere } from './capabilities.ts'
import { startDaemon, visibleDaemons } from './daemon.ts'
import { snapshotFirewall } from './firewall.ts'
import { withLock } from './lock.ts'
import { exists, isRunning, type Machine, readText, thisMachine } from './machine.ts'
import { hasApt, installPackages, planInstall } from './packages.ts'
import { type EngineRecord, enginePaths, engineSysctls, readRecord, writeRecord } from './record.ts'
import { buildRuntime, runtimeName } from './runtime.ts'
import { engineVersion } from './version.ts'

/** A Docker engine that answers. */
export interface Engine {
  /** Version of the server, such as `20.10.24+dfsg1`. */
  readonly version: string
  /** True when dockerd was started by us, or installed by us and started by systemd. */
  readonly ours: boolean
}

export interface EnsureEngineOptions {
  /** Install Docker, or start one that is installed, when none answers. Without it the host is only looked at, except that an engine of ours is started. */
  readonly install: boolean
  readonly machine?: Machine
}

/**
 * Makes sure a Docker engine answers that can run privileged containers. An engine that runs already is used as it is and never changed. One that
 * we installed or started before is started again. Two callers at once are served one after the other.
 *
 * @throws UnsupportedError DOCKER_MISSING when there is none and `install` is false
 * @throws UnsupportedError DOCKER_CAPABILITIES when the running engine cannot run privileged containers
 * @throws NotReadyError DOCKERD_FAILED when dockerd does not start
 */
export async function ensureEngine(host: Host, options: EnsureEngineOptions): Promise<Engine> {
  const machine = options.machine ?? thisMachine
  const running = await engineVersion(host)
  if (running !== undefined) return await adopt(host, machine, running)
  return await host.timings.phase('docker engine', () =>
    withLock(host, machine, 'engine', async () => {
      // Another run may have started it while we waited for the lock.
      const version = await engineVersion(host)
      if (version !== undefined) return await adopt(host, machine, version)
      return await startOrInstall(host, machine, options.install)
    }),
  )
}

async function startOrInstall(host: Host, machine: Machine, install: boolean): Promise<Engine> {
  const record = await readRecord(host, machine)
  if (await installed(machine)) {
    if (await hasSystemd(machine)) {
      if (record === undefined || record.packages.length === 0) throw stoppedService()
      return await startService(host)
    }
    if (record === undefined && !install) throw missing('Docker is installed but no engine answers')
    return await startByHand(host, machine, record ?? (await snapshot(host, machine, [])))
  }
  if (!install) throw missing('no Docker engine answers')
  return await installEngine(host, machine, record)
}

/**
 * Installs Debian's or Ubuntu's `docker.io` with `nftables` (for the seal) and starts the engine.
 *
 * @param earlier the record of an installation that broke off: what was there before it is what counts
 * @throws UnsupportedError DOCKER_INSTALL_UNSUPPORTED without root or without apt
 */
async function installEngine(host: Host, machine: Machine, earlier: EngineRecord | undefined): Promise<Engine> {
  const { stdout } = await host.exec.run('id', ['-u'], { quiet: true })
  if (stdout.trim() !== '0' || !(await hasApt(machine))) {
    throw new UnsupportedError(
      stdout.trim() === '0' ? 'Docker can be installed on Debian and Ubuntu only' : 'installing Docker needs root',
      {
        code: 'DOCKER_INSTALL_UNSUPPORTED',
        hint: 'Install Docker Engine as its manual says (https://docs.docker.com/engine/install), start it, and run this again.',
      },
    )
  }
  return await host.log.group('Install Docker', async () => {
    const systemd = await hasSystemd(machine)
    const lacking = await missingHere(machine)
    if (systemd && lacking.length > 0) throw cannotRunPrivileged(lacking)
    const wanted = ['docker.io', 'iptables', 'nftables', ...(await separateClient(host))]
    const packages = await planInstall(host, wanted)
    host.log.info(`Docker is not installed: installing ${packages.join(', ')} with apt`)
    const before = earlier ?? (await snapshot(host, machine, []))
    const all = [...new Set([...before.packages, ...packages])]
    const record = await writeRecord(host, machine, { ...before, packages: all })
    await installPackages(host, machine, wanted, { startServices: systemd })
    return systemd ? await startService(host) : await startByHand(host, machine, record)
  })
}

/** Newer releases ship the client as a package of its own, which docker.io only recommends. */
async function separateClient(host: Host): Promise<string[]> {
  const client = await host.exec
    .run('docker', ['--version'], { quiet: true, allowFailure: true })
    .catch(() => undefined)
  if (client !== undefined) return []
  const { stdout } = await host.exec.run('apt-cache', ['search', '--names-only', '^docker-cli$'], { quiet: true })
  return stdout.trim() === '' ? [] : ['docker-cli']
}

/** What the machine is like before anything is done for an engine. */
async function snapshot(host: Host, machine: Machine, packages: readonly string[]): Promise<EngineRecord> {
  const created: string[] = []
  for (const path of enginePaths) if (!(await exists(machine, path))) created.push(path)
  const sysctls: Record<string, string> = {}
  for (const name of engineSysctls) {
    const value = await readText(machine, `/proc/sys/${name}`)
    if (value !== undefined) sysctls[name] = value.trim()
  }
  const groups = (await readText(machine, '/etc/group')) ?? ''
  return {
    version: 1,
    packages,
    created,
    createdGroup: !/^docker:/m.test(groups),
    sysctls,
    firewall: await snapshotFirewall(host),
  }
}

async function startByHand(host: Host, machine: Machine, before: EngineRecord): Promise<Engine> {
  const lacking = await missingHere(machine)
  const wrapper = lacking.length === 0 ? undefined : await buildRuntime(host, machine)
  if (wrapper !== undefined) {
    host.log.info(`root here lacks ${lacking.join(', ')}: Docker gets a default runtime that leaves them out`)
  }
  const record = await writeRecord(host, machine, {
    ...before,
    ...(wrapper === undefined ? {} : { runtimeWrapper: wrapper }),
  })
  await startDaemon(host, machine, wrapper, async (daemon) => {
    await writeRecord(host, machine, { ...record, daemon })
  })
  return { version: await answering(host), ours: true }
}

async function startService(host: Host): Promise<Engine> {
  await host.exec.run('systemctl', ['start', 'docker'], { timeoutMs: 120_000 })
  return { version: await answering(host), ours: true }
}

async function answering(host: Host): Promise<string> {
  const version = await waitFor(host, 'Docker engine', () => engineVersion(host), {
    done: (value) => value !== undefined,
    explain: () => 'no answer yet',
    timeoutMs: 60_000,
  })
  return version ?? ''
}

/** Uses an engine that runs already, after making sure that it can do what is needed. */
async function adopt(host: Host, machine: Machine, version: string): Promise<Engine> {
  const record = await readRecord(host, machine)
  const byHand = record?.daemon !== undefined && (await isRunning(machine, record.daemon))
  const ours = byHand || (record !== undefined && record.packages.length > 0)
  for (const pid of await visibleDaemons(machine)) {
    // Only the engine's own bounding set counts. One on another machine or outside this container is not visible, and is taken at its word.
    const status = (await readText(machine, `/proc/${pid}/status`)) ?? ''
    const lacking = missingCapabilities(status, (await readText(machine, '/proc/sys/kernel/cap_last_cap')) ?? '')
    if (lacking.length === 0) continue
    const { stdout } = await host.exec.run('docker', ['info', '--format', '{{.DefaultRuntime}}'], { quiet: true })
    if (stdout.trim() === 'runc') throw cannotRunPrivileged(lacking)
  }
  return { version, ours }
}

async function installed(machine: Machine): Promise<boolean> {
  for (const folder of ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin']) {
    if (await exists(machine, `${folder}/dockerd`)) return true
  }
  return false
}

/** As sd_booted(3) decides it. */
async function hasSystemd(machine: Machine): Promise<boolean> {
  return await exists(machine, '/run/systemd/system')
}

function missing(what: string): UnsupportedError {
  return new UnsupportedError(what, {
    code: 'DOCKER_MISSING',
    hint: 'Start Docker, or give --install-docker: it installs docker.io with apt where it is missing and starts it. In a job without Docker use an existing cluster (provider: existing).',
  })
}

function stoppedService(): NotReadyError {
  return new NotReadyError('Docker is installed but its service does not run', {
    code: 'DOCKER_STOPPED',
    hint: 'Start it with `systemctl start docker`; `journalctl -u docker` tells why it stopped.',
  })
}

function cannotRunPrivileged(lacking: readonly string[]): UnsupportedError {
  return new UnsupportedError(`this Docker engine cannot run privileged containers: it lacks ${lacking.join(', ')}`, {
    code: 'DOCKER_CAPABILITIES',
    hint: `Register a runtime that leaves these capabilities out (images/capless-runtime) in /etc/docker/daemon.json, {"runtimes": {"${runtimeName}": {"path": "/path/to/capless-runtime"}}, "default-runtime": "${runtimeName}"}, and restart Docker; or stop it and let --install-docker start one.`,
  })
}
