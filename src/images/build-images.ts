import { InputError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { nearestName } from '../process/nearest-name.ts'
import { pathExists } from '../process/path-exists.ts'
import { type BuildContext, buildRecipe, rootFolder, servesAsRoot } from './build-recipe.ts'
import { withCacheLock } from './cache-lock.ts'
import { contentKeys } from './content-key.ts'
import { localImages, localTag } from './docker-image.ts'
import { imageFolders } from './folders.ts'
import { changesRoot, loadRecipes, needsOf, type Recipes } from './load-recipes.ts'
import { BuildProgress } from './progress.ts'
import type { Recipe } from './recipe.ts'
import { Lane, runGraph } from './run-graph.ts'

/** An image that is in the local Docker. */
export interface BuiltImage {
  readonly recipe: string
  /** 64 hex digits over everything the image is made of. */
  readonly key: string
  /** `k8s-platform/<recipe>:<first 12 digits of the key>`. */
  readonly localTag: string
  /** Names under which manifests know it; none for images that are only bases. */
  readonly upstreamNames: readonly string[]
}

export interface BuildRequest {
  /** Recipe names; default is every recipe that is not optional. What they need is built too. */
  readonly recipes?: readonly string[]
  /** A version of images/kubernetes-versions.json, such as `1.34.3`. */
  readonly kubernetesVersion: string
}

/**
 * Makes sure that images are in the local Docker, building what is missing or out of date. Resolves with the images asked for, in order of name.
 * @throws InputError for an unknown recipe, UnsupportedError for a Kubernetes version without a row or a machine without the tools.
 */
export async function buildImages(host: Host, request: BuildRequest): Promise<readonly BuiltImage[]> {
  const recipes = await loadRecipes(host, request.kubernetesVersion)
  const wanted = chosen(recipes, request.recipes)
  const keys = await contentKeys(host, recipes)
  const built = wanted.map((recipe) => describe(recipe, keys))
  if ((await missing(host, recipes, keys, wanted)).length === 0) return built

  await host.timings.phase('images', () =>
    withCacheLock(host, imageFolders(host).lock, async () => {
      // Another run may have built them while this one waited.
      const toBuild = await missing(host, recipes, keys, wanted)
      if (toBuild.length > 0) await buildAll(host, recipes, keys, toBuild)
    }),
  )
  return built
}

function chosen(recipes: Recipes, names: readonly string[] | undefined): readonly Recipe[] {
  if (names === undefined) return [...recipes.values()].filter((recipe) => !recipe.optional)
  const unknown = names.filter((name) => !recipes.has(name))
  if (unknown.length > 0) {
    const known = [...recipes.keys()]
    throw new InputError(
      unknown.map((name) => {
        const near = nearestName(name, known)
        return {
          name: 'recipe',
          value: name,
          problem: `does not exist${near === undefined ? '' : `; did you mean ${near}?`}`,
          allowed: known.join(', '),
        }
      }),
    )
  }
  return names.flatMap((name) => recipes.get(name) ?? [])
}

function describe(recipe: Recipe, keys: ReadonlyMap<string, string>): BuiltImage {
  const key = keys.get(recipe.name) ?? ''
  return { recipe: recipe.name, key, localTag: localTag(recipe.name, key), upstreamNames: recipe.upstream }
}

/** What must be built for the recipes wanted: themselves, and of what they need only what a build will use. */
async function missing(
  host: Host,
  recipes: Recipes,
  keys: ReadonlyMap<string, string>,
  wanted: readonly Recipe[],
): Promise<readonly Recipe[]> {
  const present = new Set((await localImages(host)).map((image) => image.tag))
  const toBuild = new Map<string, Recipe>()
  const visit = async (recipe: Recipe, asRoot: boolean): Promise<void> => {
    if (toBuild.has(recipe.name)) return
    const key = keys.get(recipe.name) ?? ''
    const complete =
      present.has(localTag(recipe.name, key)) && (!asRoot || (await pathExists(rootFolder(host, recipe.name, key))))
    if (complete) {
      if (asRoot && recipe.base !== undefined) await visitNeed(recipe.base, true)
      return
    }
    toBuild.set(recipe.name, recipe)
    for (const name of needsOf(recipe)) {
      await visitNeed(name, name === recipe.unpack?.root || (name === recipe.base && (changesRoot(recipe) || asRoot)))
    }
  }
  const visitNeed = async (name: string, asRoot: boolean): Promise<void> => {
    const needed = recipes.get(name)
    if (needed !== undefined) await visit(needed, asRoot && servesAsRoot(needed, recipes))
  }
  for (const recipe of wanted) await visit(recipe, false)
  return [...toBuild.values()]
}

async function buildAll(
  host: Host,
  recipes: Recipes,
  keys: ReadonlyMap<string, string>,
  toBuild: readonly Recipe[],
): Promise<void> {
  const expected = toBuild.reduce((sum, recipe) => sum + recipe.seconds, 0)
  host.log.info(
    `building ${toBuild.length} images from package registries, about ${Math.ceil(expected / 60)} min: ${toBuild.map((recipe) => recipe.name).join(', ')}`,
  )
  using progress = new BuildProgress(host, toBuild.length)
  const context: BuildContext = {
    recipes,
    keys,
    progress,
    compile: new Lane(1),
    install: new Lane(1),
    docker: new Lane(1),
  }
  const tasks = toBuild.map((recipe) => ({
    name: recipe.name,
    needs: needsOf(recipe),
    seconds: recipe.seconds,
    run: async (priority: number, signal: AbortSignal) => {
      const record = await host.timings.phase(
        `image ${recipe.name}`,
        () => buildRecipe({ ...host, signal }, context, recipe, priority),
        'images',
      )
      progress.finished(recipe.name, record.seconds * 1000)
    },
  }))
  await runGraph(tasks, host.signal)
}
