import type { ImageSource } from '../cluster/provider.ts'
import { UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { type BuiltImage, buildVotingAppImages } from './build-images.ts'
import { readPublishedImages, requirePublishedImages } from './published-images.ts'
import type { ImageReference, PerService } from './services.ts'

/** `auto` takes published images where this release has any that the nodes can pull, else builds. */
export type ImageChoice = 'auto' | 'published' | 'build'

export type AppImages =
  | { readonly from: 'published'; readonly references: PerService<ImageReference> }
  | { readonly from: 'build'; readonly built: PerService<BuiltImage> }

export interface ImageRequest {
  readonly images: ImageChoice
  readonly imageSource: ImageSource
  readonly timeoutMs: number
}

/**
 * Decides and, where there is something to build, builds. May be started before there is a cluster and awaited later.
 * @throws UnsupportedError for `published` where nothing is published or the nodes cannot pull it.
 */
export function prepareVotingAppImages(host: Host, request: ImageRequest): Promise<AppImages> {
  const images = prepare(host, request)
  // As in buildVotingAppImages: kept for whoever awaits.
  images.catch(() => {})
  return images
}

async function prepare(host: Host, request: ImageRequest): Promise<AppImages> {
  if (request.images === 'published') {
    if (request.imageSource === 'packages') throw sealedError()
    return { from: 'published', references: await requirePublishedImages(host) }
  }
  if (request.images === 'auto' && request.imageSource === 'registry') {
    const references = await readPublishedImages(host)
    if (references !== undefined) {
      host.log.info('images of the voting app: the published ones')
      return { from: 'published', references }
    }
  }
  const why =
    request.images === 'build'
      ? ''
      : request.imageSource === 'packages'
        ? ' (image-source is packages)'
        : ' (none are published)'
  host.log.info(`images of the voting app: built from source${why}`)
  return { from: 'build', built: await buildVotingAppImages(host, request) }
}

function sealedError(): UnsupportedError {
  return new UnsupportedError(
    'images: published cannot be used with image-source: packages: its nodes pull nothing from outside',
    {
      code: 'IMAGES_UNREACHABLE',
      hint: 'Use `images: build`, or `auto`, which builds there.',
    },
  )
}
