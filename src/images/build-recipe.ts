import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Host } from '../process/host.ts'
import { type BuildRecord, writeRecord } from './build-record.ts'
import { addToRoot, bootstrapRoot, unpackPackages } from './debian.ts'
import { imageFromLayer, imageId, keyLabel, localTag, recipeLabel } from './docker-image.ts'
import { imageFolders } from './folders.ts'
import { buildGoBinary, goVersion } from './go-build.ts'
import { writeLayerFiles } from './layer-files.ts'
import { changesRoot, type Recipes } from './load-recipes.ts'
import { preloadImages } from './preload.ts'
import type { BuildProgress } from './progress.ts'
import type { Recipe } from './recipe.ts'
import type { Lane } from './run-graph.ts'

/** What all builds of one run share. */
export interface BuildContext {
  readonly recipes: Recipes
  readonly keys: ReadonlyMap<string, string>
  readonly progress: BuildProgress
  /** One compilation at a time: the compiler uses every core by itself. */
  readonly compile: Lane
  /** One package installation at a time: they share apt's caches. */
  readonly install: Lane
  readonly docker: Lane
}

/** Builds one image whose needs are built, whatever is there already. */
export async function buildRecipe(
  host: Host,
  context: BuildContext,
  recipe: Recipe,
  priority: number,
): Promise<BuildRecord> {
  const key = keyOf(context, recipe.name)
  const folders = imageFolders(host)
  const work = join(folders.work, `${recipe.name}-${key.slice(0, 12)}`)
  const steps: Record<string, number> = {}
  const step = <T>(
    name: string,
    lane: Lane | undefined,
    body: (onLine: (line: string) => void) => Promise<T>,
  ): Promise<T> => {
    const timed = (): Promise<T> => {
      const started = host.clock.monotonic()
      return context.progress.step(recipe.name, name, body).finally(() => {
        steps[name] = (steps[name] ?? 0) + Math.round(host.clock.monotonic() - started) / 1000
      })
    }
    return lane === undefined ? timed() : lane.run(priority, timed)
  }

  await rm(work, { recursive: true, force: true })
  await mkdir(work, { recursive: true })
  try {
    const binaries = new Map<string, string>()
    for (const [path, binary] of Object.entries(recipe.go)) {
      binaries.set(path, await step('compiling', context.compile, (onLine) => buildGoBinary(host, binary, onLine)))
    }
    for (const copy of recipe.copies) {
      const binary = context.recipes.get(copy.recipe)?.go[copy.from]
      if (binary === undefined) throw new Error(`recipe ${copy.recipe} has no binary ${copy.from}`)
      binaries.set(copy.to, await step('compiling', context.compile, (onLine) => buildGoBinary(host, binary, onLine)))
    }
    const files = join(work, 'files')
    await step('copying', undefined, () => writeLayerFiles(host, recipe, binaries, files))
    const root = await assembleRoot(host, context, recipe, { work, files, step })

    const labels = { [recipeLabel]: recipe.name, [keyLabel]: key }
    const tag = localTag(recipe.name, key)
    const base = recipe.base === undefined ? undefined : localTag(recipe.base, keyOf(context, recipe.base))
    const contextFolder = join(work, 'context')
    if (recipe.preload.length === 0) {
      await step('packing', context.docker, () =>
        imageFromLayer(host, recipe, { root, context: contextFolder, base, tag, labels }),
      )
    } else {
      const unloaded = `${tag}-unloaded`
      await step('packing', context.docker, () =>
        imageFromLayer(host, recipe, { root, context: contextFolder, base, tag: unloaded, labels: {} }),
      )
      const images = recipe.preload.flatMap((name) => {
        const other = context.recipes.get(name)
        return other === undefined
          ? []
          : [{ localTag: localTag(name, keyOf(context, name)), upstreamNames: other.upstream }]
      })
      await step('preloading', context.docker, () =>
        preloadImages(host, recipe, { unloaded, tag, labels, scratch: join(work, 'preload'), images }),
      )
      await host.exec.run('docker', ['rmi', '--no-prune', unloaded], { quiet: true })
    }
    if (servesAsRoot(recipe, context.recipes)) await keepRoot(host, recipe, key, root)

    const record: BuildRecord = {
      recipe: recipe.name,
      key,
      localTag: tag,
      upstreamNames: recipe.upstream,
      imageId: await imageId(host, tag),
      builtAt: host.clock.now().toISOString(),
      seconds: Math.round(Object.values(steps).reduce((sum, value) => sum + value, 0) * 10) / 10,
      steps,
      ...(binaries.size === 0 ? {} : { goVersion: await goVersion(host) }),
    }
    await writeRecord(host, record)
    return record
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Resolves with the folder that becomes the layer. */
async function assembleRoot(
  host: Host,
  context: BuildContext,
  recipe: Recipe,
  layout: {
    work: string
    files: string
    step: <T>(name: string, lane: Lane | undefined, body: (onLine: (line: string) => void) => Promise<T>) => Promise<T>
  },
): Promise<string> {
  const { work, files, step } = layout
  const root = join(work, 'root')
  if (recipe.bootstrap !== undefined) {
    await step('bootstrapping', context.install, (onLine) => bootstrapRoot(host, recipe, root, { onLine }))
    await host.exec.run('cp', ['--archive', `${files}/.`, root], { quiet: true })
    return root
  }
  if (changesRoot(recipe)) {
    const lowers = lowerRoots(host, context, recipe)
    const scratch = join(work, 'overlay')
    await step('installing', context.install, (onLine) =>
      addToRoot(host, recipe, { lowers, upper: root, scratch, files }, { onLine }),
    )
    return root
  }
  if (recipe.unpack === undefined) return files
  const { packages } = recipe.unpack
  const source = rootFolder(host, recipe.unpack.root, keyOf(context, recipe.unpack.root))
  await step('unpacking', context.install, (onLine) => unpackPackages(host, source, packages, root, { onLine }))
  await host.exec.run('cp', ['--archive', `${files}/.`, root], { quiet: true })
  return root
}

/** Roots below a recipe, top first. */
function lowerRoots(host: Host, context: BuildContext, recipe: Recipe): readonly string[] {
  const base = recipe.base === undefined ? undefined : context.recipes.get(recipe.base)
  if (base === undefined) return []
  return [rootFolder(host, base.name, keyOf(context, base.name)), ...lowerRoots(host, context, base)]
}

/** Where the root of a recipe is kept that others install over. */
export function rootFolder(host: Pick<Host, 'paths'>, recipe: string, key: string): string {
  return join(imageFolders(host).roots, `${recipe}-${key.slice(0, 12)}`)
}

/** True when another recipe installs packages over this one, directly or further up, or takes packages of its suite. */
export function servesAsRoot(recipe: Recipe, recipes: Recipes): boolean {
  return [...recipes.values()].some(
    (other) => other.unpack?.root === recipe.name || (changesRoot(other) && isBelow(recipe.name, other, recipes)),
  )
}

function isBelow(name: string, recipe: Recipe, recipes: Recipes): boolean {
  if (recipe.base === undefined) return false
  if (recipe.base === name) return true
  const base = recipes.get(recipe.base)
  return base !== undefined && isBelow(name, base, recipes)
}

async function keepRoot(host: Host, recipe: Recipe, key: string, root: string): Promise<void> {
  const kept = rootFolder(host, recipe.name, key)
  await rm(kept, { recursive: true, force: true })
  await mkdir(dirname(kept), { recursive: true })
  await rename(root, kept)
}

function keyOf(context: Pick<BuildContext, 'keys'>, recipe: string): string {
  const key = context.keys.get(recipe)
  if (key === undefined) throw new Error(`no key for recipe ${recipe}`)
  return key
}
