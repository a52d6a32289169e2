import path from 'node:path'
import { buildAppImage } from '../images/app-image.ts'
import { buildImages } from '../images/build-images.ts'
import { sha256 } from '../images/content-key.ts'
import { recipeLabel } from '../images/docker-image.ts'
import { supportedKubernetesVersions } from '../images/kubernetes-versions.ts'
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
  const recipes = Object.values(bases).map((base) => base.recipe)
  const images = await buildImages(host, { recipes, kubernetesVersion })
  const baseTags = new Map(images.map((image) => [image.recipe, image.localTag]))
  return forEachService((service) => build(host, service, baseTags.get(bases[service].recipe) ?? ''))
}

async function build(host: Host, service: AppService, base: string): Promise<BuiltImage> {
  const { source, digest } = await readBuildContext(host, service)
  const tag = sha256([digest, base]).slice(0, 12)
  const recipe = `voting-app-${service}`
  const local = `k8s-platform/${recipe}:${tag}`
  const image = await buildAppImage(host, {
    context: path.resolve(source),
    buildArgs: { [bases[service].argument]: base },
    tag: local,
    labels: { [recipeLabel]: recipe },
  })
  if (image.built) host.log.info(`built ${local}`)
  return { local, tag }
}
