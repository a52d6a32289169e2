import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../process/host.ts'
import { withCacheLock } from './cache-lock.ts'
import { contentKeys } from './content-key.ts'
import { type LocalImage, localImages, localTag, recipeLabel } from './docker-image.ts'
import { imageFolders } from './folders.ts'
import { loadRecipes } from './load-recipes.ts'

export interface PruneRequest {
  /** Images of this version's recipes as they are now are kept; without one nothing is. */
  readonly keepKubernetesVersion?: string
}

export interface Pruned {
  /** Local names of removed images. */
  readonly images: readonly string[]
  /** Removed folders and files of the cache. */
  readonly paths: readonly string[]
}

/** Removes images the builder made and what it keeps to make more. Images that a container uses stay, and so does everything that is not ours. */
export async function pruneImages(host: Host, request: PruneRequest = {}): Promise<Pruned> {
  return withCacheLock(host, imageFolders(host).lock, async () => {
    const local = await localImages(host)
    const keep = await keptTags(host, request.keepKubernetesVersion, local)
    await removeLeftoverContainers(host)
    const images: string[] = []
    for (const image of local) {
      if (keep.has(image.tag)) continue
      const result = await host.exec.run('docker', ['rmi', image.tag], { quiet: true, allowFailure: true })
      if (result.exitCode === 0) images.push(image.tag)
      else host.log.info(`${image.tag} stays: ${result.stderr.trim().split('\n').at(-1) ?? ''}`)
    }
    await removeBuildStages(host)
    const paths = await removeFolders(host, keep)
    return { images, paths }
  })
}

async function keptTags(
  host: Host,
  kubernetesVersion: string | undefined,
  local: readonly LocalImage[],
): Promise<ReadonlySet<string>> {
  if (kubernetesVersion === undefined) return new Set()
  const recipes = await loadRecipes(host, kubernetesVersion)
  const keys = await contentKeys(host, recipes)
  const keep = new Set([...recipes.keys()].map((name) => localTag(name, keys.get(name) ?? '')))
  // Applications have no recipe to compare with: of each, the newest is the one in use.
  const newest = new Map<string, LocalImage>()
  for (const image of local) {
    const known = newest.get(image.recipe)
    if (!recipes.has(image.recipe) && (known === undefined || image.createdAt > known.createdAt)) {
      newest.set(image.recipe, image)
    }
  }
  for (const image of newest.values()) keep.add(image.tag)
  return keep
}

/** The classic builder keeps the stages an image is not made of; they carry the labels of their base, which is ours. */
async function removeBuildStages(host: Host): Promise<void> {
  const filters = ['--filter', 'dangling=true', '--filter', `label=${recipeLabel}`]
  const { stdout } = await host.exec.run('docker', ['images', ...filters, '--no-trunc', '--quiet'], { quiet: true })
  const ids = [...new Set(stdout.split('\n').filter((id) => id !== ''))]
  if (ids.length > 0) await host.exec.run('docker', ['rmi', ...ids], { quiet: true, allowFailure: true })
}

/** A killed build may have left the container it loaded images in. */
async function removeLeftoverContainers(host: Host): Promise<void> {
  const args = ['ps', '--all', '--quiet', '--filter', `label=${recipeLabel}`, '--filter', 'name=k8s-platform-preload-']
  const { stdout } = await host.exec.run('docker', args, { quiet: true })
  const ids = stdout.split('\n').filter((id) => id !== '')
  if (ids.length > 0) await host.exec.run('docker', ['rm', '--force', ...ids], { quiet: true })
}

async function removeFolders(host: Host, keep: ReadonlySet<string>): Promise<string[]> {
  const folders = imageFolders(host)
  const removed: string[] = []
  const remove = async (path: string): Promise<void> => {
    if (
      await lstat(path).then(
        () => true,
        () => false,
      )
    ) {
      await rm(path, { recursive: true, force: true })
      removed.push(path)
    }
  }
  await remove(folders.work)
  if (keep.size === 0) {
    for (const path of [folders.roots, folders.binaries, folders.apt, folders.npm, folders.records, folders.published])
      await remove(path)
    return removed
  }
  // `<recipe>-<key>` of a root or a record, against `k8s-platform/<recipe>:<key>`.
  const kept = new Set([...keep].map((tag) => tag.replace(/^k8s-platform\//, '').replace(':', '-')))
  for (const folder of [folders.roots, folders.records]) {
    for (const entry of await readdir(folder).catch(() => [])) {
      if (!kept.has(entry.replace(/\.json$/, ''))) await remove(join(folder, entry))
    }
  }
  return removed
}
