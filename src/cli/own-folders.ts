import { lstat, readdir, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import type { Paths } from '../process/host.ts'

/**
 * What is ours in the two lasting folders: builds, downloads and registry of the toolkit, then what its scripts keep there. The user may have named the folders and have
 * other things in them, so that nothing else may ever go.
 */
const ownEntries = {
  cache: [
    'images',
    'registry',
    'tools',
    'go',
    'npm',
    'pip',
    'lint-tools',
    'test-tools',
    'voting-app-tests',
  ] as readonly string[],
  state: ['claim.lock', 'clusters', 'engine', 'engine.lock', 'network.lock', 'records.lock'] as readonly string[],
}

export interface RemovedFolders {
  /** Paths removed; a whole folder where nothing of anybody else was in it. */
  readonly removed: readonly string[]
  /** Paths that stay because they are not known to be ours. */
  readonly kept: readonly string[]
}

/** Removes what is ours in the cache folder and the state folder, and each folder itself once it is empty. */
export async function removeOwnFolders(paths: Pick<Paths, 'cache' | 'state'>): Promise<RemovedFolders> {
  const removed: string[] = []
  const kept: string[] = []
  for (const kind of ['cache', 'state'] as const) {
    const folder = paths[kind]
    const gone: string[] = []
    for (const entry of ownEntries[kind]) {
      const file = path.join(folder, entry)
      if (!(await exists(file))) continue
      await rm(file, { recursive: true, force: true })
      gone.push(file)
    }
    const left = await readdir(folder).catch(() => undefined)
    if (left === undefined) continue
    if (left.length > 0) {
      removed.push(...gone)
      kept.push(...left.map((entry) => path.join(folder, entry)))
      continue
    }
    await rmdir(folder)
    removed.push(folder)
  }
  return { removed, kept }
}

function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  )
}
