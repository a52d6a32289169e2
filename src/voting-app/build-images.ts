import { rm } from 'node:fs/promises'
import path from 'node:path'
import { imageExists } from '../cluster/docker-images.ts'
import type { ImageSource } from '../cluster/provider.ts'
import { CommandError, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { readBuildContext, stageBuildContext } from './build-context.ts'
import { type AppService, forEachService, type PerService } from './services.ts'

/** An image that the local Docker engine has. */
export interface BuiltImage {
  /** Its name there: `k8s-platform/voting-app-vote:<tag>`. */
  readonly local: string
  /** From the content of everything that goes into it: the same app has the same tag. */
  readonly tag: string
}

export interface BuildOptions {
  readonly imageSource: ImageSource
  readonly timeoutMs: number
}

/**
 * Builds the three images of the app, at once, from the sources among the assets. What is there already under the same content is not built again. Needs Docker
 * and no cluster, so it may run while one boots; a failure is kept for whoever awaits the promise.
 * @throws ToolkitError IMAGE_BUILD_FAILED
 */
export function buildVotingAppImages(host: Host, options: BuildOptions): Promise<PerService<BuiltImage>> {
  const images = host.timings.phase('build the app', () => buildAll(host, options))
  // Awaited only once there is a cluster: until then a failure must not count as unhandled.
  images.catch(() => {})
  return images
}

async function buildAll(host: Host, options: BuildOptions): Promise<PerService<BuiltImage>> {
  if (options.imageSource === 'registry')
    return forEachService((service) => buildFromRegistry(host, service, options.timeoutMs))
  // Loaded only here: the registry path carries no code of the other.
  const { buildFromPackages } = await import('./build-from-packages.ts')
  return buildFromPackages(host)
}

/** An ordinary `docker build`: bases come from the registries the Dockerfile names, dependencies from theirs. */
async function buildFromRegistry(host: Host, service: AppService, timeoutMs: number): Promise<BuiltImage> {
  const context = await readBuildContext(host, service)
  const tag = context.digest.slice(0, 12)
  const recipe = `voting-app-${service}`
  const local = `k8s-platform/${recipe}:${tag}`
  if (await imageExists(host, local)) return { local, tag }
  const folder = path.join(host.paths.temp, `${recipe}-${tag}`)
  try {
    await stageBuildContext(context, folder)
    host.log.info(`building ${local}`)
    await host.exec.run('docker', buildArgs({ local, recipe, key: context.digest, folder }), {
      timeoutMs,
      quiet: true,
      onLine: (line) => host.log.progress(`${service}: ${line}`),
    })
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    throw new ToolkitError(`the image of ${service} could not be built: ${error.message}`, {
      code: 'IMAGE_BUILD_FAILED',
      hint: 'Where the public base images cannot be pulled, use `image-source: packages`, or `images: published`.',
      diagnostics: [...error.stdout.split('\n').slice(-10), ...error.stderr.split('\n').slice(-20)].filter(
        (line) => line !== '',
      ),
      cause: error,
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return { local, tag }
}

/** argv of `docker build`. The labels are those of all images the toolkit builds: `images prune` finds them by these. */
export function buildArgs(build: { local: string; recipe: string; key: string; folder: string }): string[] {
  return [
    'build',
    '--tag',
    build.local,
    '--label',
    `k8s-platform.recipe=${build.recipe}`,
    '--label',
    `k8s-platform.key=${build.key}`,
    build.folder,
  ]
}
