import { join } from 'node:path'
import type { Host } from '../process/host.ts'
import { exists, type Machine, readText, thisMachine } from './machine.ts'
import { withSystemPath } from './system-path.ts'

/** Programs that `image-source: packages` runs on the host, in the order they are asked for. `pip` is `python3 -m pip`. */
export const buildPrograms = ['nft', 'go', 'wget', 'npm', 'pip'] as const
export type BuildProgram = (typeof buildPrograms)[number]

/** What `image-source: packages` asks of the host besides an engine. */
export interface BuildFacts {
  /** Whether this run is root: root file systems are made with unshare and chroot, and the seal with nft. */
  readonly root: boolean
  readonly missing: readonly BuildProgram[]
}

/** Looks for those programs; changes nothing. */
export async function buildFacts(
  host: Pick<Host, 'exec' | 'env'>,
  machine: Machine = thisMachine,
  programs: readonly BuildProgram[] = buildPrograms,
): Promise<BuildFacts> {
  const folders = (withSystemPath(host.env)['PATH'] ?? '').split(':')
  const isThere = async (program: BuildProgram): Promise<boolean> => {
    if (program === 'pip') return await hasPip(host)
    for (const folder of folders) if (await exists(machine, join(folder, program))) return true
    return false
  }
  const [status, ...present] = await Promise.all([
    readText(machine, '/proc/self/status'),
    ...programs.map((program) => isThere(program)),
  ])
  return {
    // Real, effective, saved and file system user id.
    root: /^Uid:\s+\d+\s+0\b/m.test(status ?? ''),
    missing: programs.filter((_program, index) => present[index] !== true),
  }
}

async function hasPip(host: Pick<Host, 'exec'>): Promise<boolean> {
  const args = ['-m', 'pip', '--version']
  const result = await host.exec
    .run('python3', args, { quiet: true, allowFailure: true, timeoutMs: 30_000 })
    .catch(() => undefined)
  return result?.exitCode === 0
}
