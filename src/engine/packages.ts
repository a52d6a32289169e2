import type { Host } from '../process/host.ts'
import { exists, type Machine, readText, remove, writeText } from './machine.ts'
import { withSystemPath } from './system-path.ts'

const policyFile = '/usr/sbin/policy-rc.d'
const aptTimeoutMs = 900_000

/** True where apt is at home: Debian, Ubuntu and what is made from them. */
export async function hasApt(machine: Machine): Promise<boolean> {
  const release = (await readText(machine, '/etc/os-release')) ?? ''
  const ids = [...release.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap((match) => match[1]?.split(' ') ?? [])
  return (ids.includes('debian') || ids.includes('ubuntu')) && (await exists(machine, '/usr/bin/apt-get'))
}

/**
 * Names the packages that installing would add, in apt's order; those it would only upgrade are not among them. Fetches the package lists first
 * when apt knows nothing of a package.
 */
export async function planInstall(host: Host, packages: readonly string[]): Promise<string[]> {
  const simulate = () => apt(host, ['-s', 'install', ...installArgs(packages)])
  const output = await simulate().catch(async () => {
    await apt(host, ['update'])
    return simulate()
  })
  // `Inst name (version ...)` is new, `Inst name [old version] (version ...)` is an upgrade.
  return [...output.matchAll(/^Inst (\S+) \(/gm)].map((match) => match[1] as string)
}

/**
 * Installs packages. Without systemd the services they bring are not started: their start would fail, or run the service outside our control.
 */
export async function installPackages(
  host: Host,
  machine: Machine,
  packages: readonly string[],
  options: { startServices: boolean },
): Promise<void> {
  // invoke-rc.d asks this file, which by policy belongs to the local administrator: one that is there is left alone.
  const silence = !options.startServices && !(await exists(machine, policyFile))
  if (silence) await writeText(machine, policyFile, '#!/bin/sh\nexit 101\n', 0o755)
  try {
    // Lists may be older than the mirror: files that have gone from it answer 404 until the lists are fetched again.
    await apt(host, ['install', ...installArgs(packages)]).catch(async () => {
      await apt(host, ['update'])
      await apt(host, ['install', ...installArgs(packages)])
    })
  } finally {
    if (silence) await remove(machine, policyFile)
  }
}

/** Debian's docker.io leaves this behind when it is removed, and runs it on the whole data folder when it is purged. */
const dataPurger = '/var/lib/docker/nuke-graph-directory.sh'

/**
 * Purges packages, except those that something outside the list needs by now: removing them would remove what the user installed since.
 *
 * @param options.keepData /var/lib/docker was there before the packages, so they must not take it with them
 * @returns the packages that were kept
 */
export async function purgePackages(
  host: Host,
  machine: Machine,
  packages: readonly string[],
  options: { keepData: boolean },
): Promise<string[]> {
  const installed = await installedOf(host, packages)
  const ours = new Set(installed)
  const kept: string[] = []
  if ((await foreignRemovals(host, installed, ours)).length > 0) {
    for (const name of installed) {
      if ((await foreignRemovals(host, [name], ours)).length > 0) kept.push(name)
    }
  }
  const purge = installed.filter((name) => !kept.includes(name))
  if (purge.length > 0) {
    const silence = !(await exists(machine, '/run/systemd/system')) && !(await exists(machine, policyFile))
    if (silence) await writeText(machine, policyFile, '#!/bin/sh\nexit 101\n', 0o755)
    try {
      if (options.keepData) {
        await apt(host, ['remove', '-y', ...purge])
        await remove(machine, dataPurger)
      }
      await apt(host, ['purge', '-y', ...purge])
    } finally {
      if (silence) await remove(machine, policyFile)
    }
  }
  return kept
}

/** Those of the packages that are installed or have left configuration behind. */
async function installedOf(host: Host, packages: readonly string[]): Promise<string[]> {
  if (packages.length === 0) return []
  const format = '${Package} ${db:Status-Status}\\n'
  const { stdout } = await host.exec.run('dpkg-query', ['-W', '-f', format, ...packages], {
    quiet: true,
    allowFailure: true,
  })
  const present = new Map(stdout.split('\n').map((line) => line.split(' ') as [string, string]))
  return packages.filter((name) => !['not-installed', undefined].includes(present.get(name)))
}

/** What apt would remove besides our own. */
async function foreignRemovals(host: Host, packages: readonly string[], ours: ReadonlySet<string>): Promise<string[]> {
  if (packages.length === 0) return []
  const output = await apt(host, ['-s', 'purge', ...packages])
  return [...output.matchAll(/^(?:Purg|Remv) (\S+)/gm)]
    .map((match) => match[1] as string)
    .filter((name) => !ours.has(name))
}

function installArgs(packages: readonly string[]): string[] {
  return ['-y', '--no-install-recommends', ...packages]
}

async function apt(host: Host, args: readonly string[]): Promise<string> {
  const { stdout } = await host.exec.run(
    'apt-get',
    ['-o', 'DPkg::Lock::Timeout=300', '-o', 'APT::Get::AutomaticRemove=false', ...args],
    {
      // The order of words in apt's plan is part of what is read here, so no translation.
      env: { ...withSystemPath(host.env), DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
      quiet: args.includes('-s'),
      timeoutMs: aptTimeoutMs,
      onLine: (line) => host.log.debug(line),
    },
  )
  return stdout
}
