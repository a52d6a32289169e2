import { join } from 'node:path'
import type { Host } from '../process/host.ts'

/** Where the builder keeps things, all below the cache folder: deleting any of it costs time, nothing else. */
export interface ImageFolders {
  /** One `<recipe>-<key>.json` per image ever built here: ids, seconds. */
  readonly records: string
  /** Root file systems that other recipes install packages over. */
  readonly roots: string
  /** Compiled binaries, by key. */
  readonly binaries: string
  /** Packages as downloaded, and package lists. */
  readonly apt: string
  readonly npm: string
  /** Build contexts; empty when nothing is being built. */
  readonly work: string
  /** What is known to be in the local registry's storage. */
  readonly published: string
  readonly lock: string
}

export function imageFolders(host: Pick<Host, 'paths'>): ImageFolders {
  const root = join(host.paths.cache, 'images')
  return {
    records: join(root, 'records'),
    roots: join(root, 'roots'),
    binaries: join(root, 'binaries'),
    apt: join(root, 'apt'),
    npm: join(root, 'npm'),
    work: join(root, 'work'),
    published: join(root, 'published.json'),
    lock: join(root, 'lock'),
  }
}
