import { randomUUID } from 'node:crypto'
import { type BuiltImage, buildImages } from '../../src/images/build-images.ts'
import { supportedKubernetesVersions } from '../../src/images/kubernetes-versions.ts'
import { loadRecipes, type Recipes } from '../../src/images/load-recipes.ts'
import { cacheFolder } from '../../src/process/environment.ts'
import type { RunResult } from '../../src/process/exec.ts'
import type { Host } from '../../src/process/host.ts'
import { waitFor } from '../../src/process/wait.ts'
import { testHost } from './test-host.ts'

/** Starts of servers in containers, on a machine that may be busy. */
export const startMs = 60_000

/** Images of the recipes, and containers of them for a test file. */
export interface BuiltImages {
  /** Its cache is the one of every other run on this machine: building the images again takes a quarter of an hour. */
  readonly host: Host
  /** Where nothing is kept beyond the test. */
  readonly ownPaths: Host['paths']
  readonly kubernetesVersion: string
  readonly recipes: Recipes
  /** What no cluster needs is built by the nightly run only. */
  readonly checked: readonly string[]
  /** Builds what is checked, or finds that it is there. */
  readonly build: () => Promise<void>
  readonly image: (recipe: string) => BuiltImage
  readonly docker: (
    args: readonly string[],
    options?: { readonly allowFailure?: boolean; readonly input?: string },
  ) => Promise<RunResult>
  /** Starts a container, without a network unless told otherwise, and resolves with its name. */
  readonly start: (recipe: string, options?: readonly string[], command?: readonly string[]) => Promise<string>
  /** Output of a program in a container, as soon as it succeeds with output that fits. */
  readonly eventually: (container: string, command: readonly string[], fits: RegExp) => Promise<string>
  readonly removeContainers: () => Promise<void>
}

export async function builtImages(): Promise<BuiltImages> {
  const own = testHost()
  const host = {
    ...own,
    env: { ...own.env, HOME: process.env['HOME'] ?? '/root' },
    paths: { ...own.paths, cache: cacheFolder(process.env) },
  }
  const [kubernetesVersion = ''] = await supportedKubernetesVersions(host)
  const recipes = await loadRecipes(host, kubernetesVersion)
  const nightly = (process.env['K8S_PLATFORM_NIGHTLY'] ?? '') !== ''
  const checked = [...recipes.values()].filter((recipe) => nightly || !recipe.optional).map((recipe) => recipe.name)
  const containers: string[] = []
  let images: ReadonlyMap<string, BuiltImage> = new Map()

  const docker: BuiltImages['docker'] = (args, options = {}) =>
    host.exec.run('docker', args, { quiet: true, ...options })
  const image = (recipe: string): BuiltImage => {
    const found = images.get(recipe)
    if (found === undefined) throw new Error(`recipe ${recipe} is not built`)
    return found
  }
  return {
    host,
    ownPaths: own.paths,
    kubernetesVersion,
    recipes,
    checked,
    docker,
    image,
    async build() {
      const built = await buildImages(host, { kubernetesVersion, recipes: checked })
      images = new Map(built.map((entry) => [entry.recipe, entry]))
    },
    async start(recipe, options = [], command = []) {
      const name = `images-test-${recipe}-${randomUUID().slice(0, 8)}`
      containers.push(name)
      const network = options.some((option) => /^--(publish|network)$/.test(option)) ? [] : ['--network', 'none']
      await docker(['run', '--detach', '--name', name, ...network, ...options, image(recipe).localTag, ...command])
      return name
    },
    eventually: (container, command, fits) =>
      waitFor(
        host,
        `${command.join(' ')} in ${container}`,
        async () => (await docker(['exec', container, ...command])).stdout,
        { done: (output) => fits.test(output), explain: (output) => output, timeoutMs: startMs, intervalMs: 200 },
      ).catch(async (error: Error) => {
        const { stdout } = await docker(['logs', '--tail', '5', container])
        throw new Error(`${error.message}\n${stdout}`, { cause: error })
      }),
    async removeContainers() {
      if (containers.length > 0) await docker(['rm', '--force', '--volumes', ...containers.splice(0)])
    },
  }
}
