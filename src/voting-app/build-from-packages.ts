import { imageExists } from '../cluster/docker-images.ts'
import { buildAppImage } from '../images/app-image.ts'
import { buildImages } from '../images/build-images.ts'
import { contentKeys, sha256 } from '../images/content-key.ts'
import { localTag, recipeLabel } from '../images/docker-image.ts'
import { supportedKubernetesVersions } from '../images/kubernetes-versions.ts'
import { loadRecipes } from '../images/load-recipes.ts'
import type { Host } from '../process/host.ts'
import { readBuildContext } from './build-context.ts'
import type { BuiltImage } from './build-images.ts'
import { type AppService, forEachService, type PerService } from './services.ts'

/** The recipe each Dockerfile's base comes from, and the build argument that names it. */
const bases: PerService<{ readonly recipe: string; readonly argument: string }> = {
  vote: { recipe: 'python', argument: 'PYTHON_IMAGE' },
  worker: { recipe: 'golang', argument: 'GO_IMAGE' },
  result: { recipe: 'nodejs', argument: 'NODE_IMAGE' },
}

/** Builds the app with the same Dockerfiles, on bases made from package registries and with no network in the build. */
export async function buildFromPackages(host: Host): Promise<PerService<BuiltImage>> {
  // The bases are the same for every Kubernetes.
  const [kubernetesVersion = ''] = await supportedKubernetesVersions(host)
  const keys = await contentKeys(host, await loadRecipes(host, kubernetesVersion))
  const images = await forEachService((service) => plan(host, service, keys))
  // The tag says it all: what is there needs neither its base nor the builder.
  if (await allPresent(host, images)) return images
  const recipes = Object.values(bases).map((base) => base.recipe)
  await buildImages(host, { recipes, kubernetesVersion })
  return forEachService((service) => build(host, service, images[service]))
}

interface PlannedImage extends BuiltImage {
  readonly source: string
  readonly base: string
}

async function plan(host: Host, service: AppService, keys: ReadonlyMap<string, string>): Promise<PlannedImage> {
  const { source, digest } = await readBuildContext(host, service)
  const { recipe } = bases[service]
  const base = localTag(recipe, keys.get(recipe) ?? '')
  const tag = sha256([digest, base]).slice(0, 12)
  return { source, base, tag, local: `k8s-platform/${recipeOf(service)}:${tag}` }
}

async function allPresent(host: Host, images: PerService<PlannedImage>): Promise<boolean> {
  const found = await Promise.all(Object.values(images).map((image) => imageExists(host, image.local)))
  return found.every((there) => there)
}

async function build(host: Host, service: AppService, image: PlannedImage): Promise<BuiltImage> {
  const result = await buildAppImage(host, {
    context: image.source,
    buildArgs: { [bases[service].argument]: image.base },
    tag: image.local,
    labels: { [recipeLabel]: recipeOf(service) },
  })
  if (result.built) host.log.info(`built ${image.local}`)
  return image
}

/** Under which name `images list` and `images prune` know it. */
function recipeOf(service: AppService): string {
  return `voting-app-${service}`
}
