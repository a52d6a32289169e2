import { access, constants, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../process/host.ts'

/**
 * What kind recommends for several nodes ("too many open files" among its known issues). All nodes of all clusters share the limit of the host's root: with the kernel's
 * usual 128 instances the third cluster's containerd finds none left, runs without its CRI, and kubelets never start.
 */
export const wantedLimits: Readonly<Record<string, number>> = { max_user_instances: 512, max_user_watches: 524_288 }

/** Where the kernel keeps the settings. */
export const inotifyFolder = '/proc/sys/fs/inotify'

/** Setting -> value it had before us. */
export type RaisedLimits = Readonly<Record<string, number>>

/** The settings that are too low for comfort and that we may write. Asking changes nothing. */
export async function limitsToRaise(folder = inotifyFolder): Promise<RaisedLimits> {
  const low: Record<string, number> = {}
  for (const [name, value] of Object.entries(wantedLimits)) {
    const path = join(folder, name)
    const present = Number((await readFile(path, 'utf8').catch(() => '')).trim() || Number.NaN)
    if (present < value && (await writable(path))) low[name] = present
  }
  return low
}

/** Raises what {@link limitsToRaise} found; the caller has recorded it. A setting that cannot be written after all is left to the preflight's warning. */
export async function raiseLimits(
  host: Pick<Host, 'log'>,
  limits: RaisedLimits,
  folder = inotifyFolder,
): Promise<void> {
  for (const [name, before] of Object.entries(limits)) {
    const value = wantedLimits[name]
    if (value === undefined) continue
    try {
      await writeFile(join(folder, name), `${value}\n`)
      host.log.info(
        `raised fs.inotify.${name} from ${before} to ${value} while clusters run here; taking the last one down restores it`,
      )
    } catch {
      host.log.debug(`fs.inotify.${name} cannot be written`)
    }
  }
}

/** Puts back what it was, unless somebody else has changed it since. Resolves with the settings restored. */
export async function restoreLimits(limits: RaisedLimits, folder = inotifyFolder): Promise<string[]> {
  const restored: string[] = []
  for (const [name, before] of Object.entries(limits)) {
    const path = join(folder, name)
    const present = Number((await readFile(path, 'utf8').catch(() => '')).trim())
    if (present !== wantedLimits[name]) continue
    await writeFile(path, `${before}\n`)
    restored.push(`fs.inotify.${name} back to ${before}`)
  }
  return restored
}

async function writable(path: string): Promise<boolean> {
  return await access(path, constants.W_OK).then(
    () => true,
    () => false,
  )
}
