import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { ToolkitError, UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { appServices, type ImageReference, type PerService } from './services.ts'

/** Where a release records what it published: `{ "vote": "ghcr.io/org/k8s-platform/vote@sha256:…", "worker": …, "result": … }`. */
export const publishedImagesFile = 'dist/images.json'

/**
 * The images this release published, by digest, or undefined where it published none.
 * @throws ToolkitError PUBLISHED_IMAGES_BROKEN when the record is there and unusable.
 */
export async function readPublishedImages(host: Host): Promise<PerService<ImageReference> | undefined> {
  const file = path.join(host.paths.assets, publishedImagesFile)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const recorded = JSON.parse(text) as Record<string, unknown>
    return Object.fromEntries(
      appServices.map((service) => [service, parseReference(service, recorded[service])]),
    ) as Record<(typeof appServices)[number], ImageReference>
  } catch (error) {
    throw new ToolkitError(`${publishedImagesFile} cannot be used: ${error instanceof Error ? error.message : error}`, {
      code: 'PUBLISHED_IMAGES_BROKEN',
      hint: 'The file is written by the release; use `images: build` to build from source instead.',
      cause: error,
    })
  }
}

/** @throws UnsupportedError IMAGES_NOT_PUBLISHED */
export async function requirePublishedImages(host: Host): Promise<PerService<ImageReference>> {
  const published = await readPublishedImages(host)
  if (published !== undefined) return published
  throw new UnsupportedError('images: published is asked for, but this version has no published images', {
    code: 'IMAGES_NOT_PUBLISHED',
    hint: `Releases record theirs in ${publishedImagesFile}. Use \`images: build\`, or \`auto\`, which builds where nothing is published.`,
  })
}

function parseReference(service: string, value: unknown): ImageReference {
  const match = /^([a-z0-9][a-z0-9._:/-]*)@(sha256:[0-9a-f]{64})$/.exec(typeof value === 'string' ? value : '')
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new Error(`${service} is ${JSON.stringify(value)}, not repository@sha256:<64 hex digits>`)
  }
  return { repository: match[1], digest: match[2] }
}
