import type { Host } from '../process/host.ts'
import { readRecords } from './build-record.ts'
import { contentKeys } from './content-key.ts'
import { localImages, localTag } from './docker-image.ts'
import { loadRecipes } from './load-recipes.ts'

/** One recipe, and what there is of it. */
export interface ListedImage {
  readonly recipe: string
  readonly description: string
  readonly localTag: string
  readonly upstreamNames: readonly string[]
  /** `built`: as the recipe is now; `outdated`: of an earlier recipe; `missing`: never built or removed. */
  readonly state: 'built' | 'outdated' | 'missing'
  readonly bytes?: number
  /** Of the build, without waiting for other builds. */
  readonly seconds?: number
  /** ISO 8601. */
  readonly builtAt?: string
}

/** Every recipe with its image and how long it took; needs Docker to be running. */
export async function listImages(host: Host, kubernetesVersion: string): Promise<readonly ListedImage[]> {
  const recipes = await loadRecipes(host, kubernetesVersion)
  const [keys, local, records] = await Promise.all([contentKeys(host, recipes), localImages(host), readRecords(host)])
  return [...recipes.values()].map((recipe) => {
    const tag = localTag(recipe.name, keys.get(recipe.name) ?? '')
    const image = local.find((candidate) => candidate.tag === tag)
    const record = records.findLast((candidate) => candidate.localTag === tag)
    const outdated = local.some((candidate) => candidate.recipe === recipe.name)
    return {
      recipe: recipe.name,
      description: recipe.description,
      localTag: tag,
      upstreamNames: recipe.upstream,
      state: image !== undefined ? 'built' : outdated ? 'outdated' : 'missing',
      ...(image === undefined ? {} : { bytes: image.bytes }),
      ...(record === undefined ? {} : { seconds: record.seconds, builtAt: record.builtAt }),
    }
  })
}

/** Plain lines for people, one per image, and the sum. */
export function renderImages(images: readonly ListedImage[]): readonly string[] {
  const rows = images.map((image) => [
    image.recipe,
    image.state,
    image.bytes === undefined ? '' : `${(image.bytes / 1e6).toFixed(0)} MB`,
    image.seconds === undefined ? '' : `${image.seconds.toFixed(1)} s`,
    image.upstreamNames.join(' '),
  ])
  const header = ['RECIPE', 'STATE', 'SIZE', 'BUILT IN', 'NAMES']
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const lines = [header, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const total = images.reduce((sum, image) => sum + (image.seconds ?? 0), 0)
  return [
    ...lines,
    `${images.filter((image) => image.state === 'built').length} of ${images.length} built; their builds took ${total.toFixed(0)} s`,
  ]
}
