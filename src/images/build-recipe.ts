import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { imageIds } from '../cluster/docker-images.ts'
import type { Host } from '../process/host.ts'
import { type BuildRecord, writeRecord } from './build-record.ts'
import { addToRoot, bootstrapRoot, unpackPackages } from './debian.ts'
import { imageFromLayer, keyLabel, localTag, recipeLabel } from './docker-image.ts'
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
  const step: Step = (name, body) => {
    const started = host.clock.monotonic()
    return context.progress.step(recipe.name, name, body).finally(() => {
      steps[name] = (steps[name] ?? 0) + Math.round(host.clock.monotonic() - started) / 1000
    })
  }

  try {
    const binaries = await compile(host, context, recipe, priority, step)
    const assemble = (): Promise<string> => assembleRoot(host, context, recipe, { work, binaries, step })
    // Whoever waits for the lane waits from the start, so that the one with the longest way to go is let in first.
    const root = await (usesApt(recipe) ? context.install.run(priority, assemble) : assemble())

    const labels = { [recipeLabel]: recipe.name, [keyLabel]: key }
    const tag = localTag(recipe.name, key)
    const base = recipe.base === undefined ? undefined : localTag(recipe.base, keyOf(context, recipe.base))
    const contextFolder = join(work, 'context')
    if (recipe.preload.length === 0) {
      const layer = { root, context: contextFolder, base, tag, labels }
      await context.docker.run(priority, () => step('packing', () => imageFromLayer(host, recipe, layer)))
    } else {
      const unloaded = `${tag}-unloaded`
      const layer = { root, context: contextFolder, base, tag: unloaded, labels: {} }
      await context.docker.run(priority, () => step('packing', () => imageFromLayer(host, recipe, layer)))
      const images = recipe.preload.flatMap((name) => {
        const other = context.recipes.get(name)
        return other === undefined
          ? []
          : [{ localTag: localTag(name, keyOf(context, name)), upstreamNames: other.upstream }]
      })
      const node = { unloaded, tag, labels, scratch: join(work, 'preload'), images }
      await context.docker.run(priority, () => step('preloading', () => preloadImages(host, recipe, node)))
      await host.exec.run('docker', ['rmi', '--no-prune', unloaded], { quiet: true })
    }
    if (servesAsRoot(recipe, context.recipes)) await keepRoot(host, recipe, key, root)

    const record: BuildRecord = {
      recipe: recipe.name,
      key,
      localTag: tag,
      upstreamNames: recipe.upstream,
      imageId: (await imageIds(host, [tag])).get(tag) ?? '',
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

/** Runs a named part of a build, timed; the body may report lines of its program's output. */
type Step = <T>(name: string, body: (onLine: (line: string) => void) => Promise<T>) => Promise<T>

/** Compiled binaries by their path in the image. */
async function compile(
  host: Host,
  context: BuildContext,
  recipe: Recipe,
  priority: number,
  step: Step,
): Promise<ReadonlyMap<string, string>> {
  const wanted = new Map(Object.entries(recipe.go))
  for (const copy of recipe.copies) {
    const binary = context.recipes.get(copy.recipe)?.go[copy.from]
    if (binary === undefined) throw new Error(`recipe ${copy.recipe} has no binary ${copy.from}`)
    wanted.set(copy.to, binary)
  }
  const binaries = new Map<string, string>()
  for (const [path, binary] of wanted) {
    const build = () => step('compiling', (onLine) => buildGoBinary(host, binary, onLine))
    binaries.set(path, await context.compile.run(priority, build))
  }
  return binaries
}

function usesApt(recipe: Recipe): boolean {
  return recipe.bootstrap !== undefined || recipe.unpack !== undefined || changesRoot(recipe)
}

/** Resolves with the folder that becomes the layer. */
async function assembleRoot(
  host: Host,
  context: BuildContext,
  recipe: Recipe,
  layout: { work: string; binaries: ReadonlyMap<string, string>; step: Step },
): Promise<string> {
  const { work, binaries, step } = layout
  const files = join(work, 'files')
  const root = join(work, 'root')
  await rm(work, { recursive: true, force: true })
  await mkdir(work, { recursive: true })
  await step('copying', () => writeLayerFiles(host, recipe, binaries, files))
  if (changesRoot(recipe)) {
    const layers = { lowers: lowerRoots(host, context, recipe), upper: root, scratch: join(work, 'overlay'), files }
    await step('installing', (onLine) => addToRoot(host, recipe, layers, { onLine }))
    return root
  }
  if (recipe.bootstrap !== undefined) {
    await step('bootstrapping', (onLine) => bootstrapRoot(host, recipe, root, { onLine }))
  } else if (recipe.unpack !== undefined) {
    const { packages } = recipe.unpack
    const source = rootFolder(host, recipe.unpack.root, keyOf(context, recipe.unpack.root))
    await step('unpacking', (onLine) => unpackPackages(host, source, packages, root, { onLine }))
  } else return files
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
