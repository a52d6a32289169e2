import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { imageIds, pushImage } from '../cluster/docker-images.ts'
import { manifestDigest } from '../cluster/registry-manifest.ts'
import { NotReadyError } from '../process/errors.ts'
import { withFileLock } from '../process/file-lock.ts'
import type { Host } from '../process/host.ts'
import { imageFolders } from './folders.ts'
import { Lane } from './run-graph.ts'

const pushTimeoutMs = 600_000
const lockTimeoutMs = 900_000

export interface PublishTarget {
  /** Where the host reaches the registry, `127.0.0.1:5000`; plain HTTP. */
  readonly pushAddress: string
}

export interface ImageToPublish {
  readonly localTag: string
  /** `docker.io/library/redis:7.0`: becomes a path, so that hosts never collide. */
  readonly upstreamName: string
}

/** Upstream name to what was pushed under it last: the image, and the digest the registry knows it by. */
type Published = Record<string, { readonly imageId: string; readonly digest: string }>

/**
 * Puts images into a registry under `<push address>/<upstream host>/<repository>:<tag>`. An image whose manifest the registry still has from an earlier
 * call is not pushed again: one look per image tells. Resolves with the upstream names of either kind.
 */
export async function publishImages(
  host: Host,
  target: PublishTarget,
  images: readonly ImageToPublish[],
): Promise<{ readonly pushed: readonly string[]; readonly skipped: readonly string[] }> {
  if (images.length === 0) return { pushed: [], skipped: [] }
  const { published } = imageFolders(host)
  // All clusters' registries serve one folder: while one takes an image, another answers 500 for it.
  return withFileLock(
    host,
    `${published}.lock`,
    { timeoutMs: lockTimeoutMs, doing: 'is pushing images into the local registry' },
    () => publishAlone(host, target, images, published),
  )
}

async function publishAlone(
  host: Host,
  target: PublishTarget,
  images: readonly ImageToPublish[],
  file: string,
): Promise<{ readonly pushed: readonly string[]; readonly skipped: readonly string[] }> {
  const ids = await imageIds(
    host,
    images.map((image) => image.localTag),
  )
  const known = await readPublished(file)
  const pushed: string[] = []
  const skipped: string[] = []
  const pushing = new Lane(2)
  await Promise.all(
    images.map(async (image) => {
      const id = ids.get(image.localTag) ?? ''
      const before = known[image.upstreamName]
      if (before?.imageId === id && (await digestOf(host, target, image.upstreamName)) === before.digest) {
        skipped.push(image.upstreamName)
        return
      }
      await pushing.run(0, () => push(host, target, image))
      const digest = await digestOf(host, target, image.upstreamName)
      if (digest === undefined) {
        throw new NotReadyError(
          `the registry at ${target.pushAddress} took ${image.upstreamName} and does not have it`,
          {
            hint: 'Look at the registry container’s log, and whether its disk is full.',
          },
        )
      }
      known[image.upstreamName] = { imageId: id, digest }
      pushed.push(image.upstreamName)
    }),
  )
  if (pushed.length > 0) await writePublished(file, known)
  return { pushed: pushed.sort(), skipped: skipped.sort() }
}

function push(host: Host, target: PublishTarget, image: ImageToPublish): Promise<void> {
  return pushImage(host, image.localTag, `${target.pushAddress}/${image.upstreamName}`, pushTimeoutMs)
}

/** Digest of what the registry has under a name; undefined when it has nothing. */
function digestOf(host: Host, target: PublishTarget, upstreamName: string): Promise<string | undefined> {
  const colon = upstreamName.lastIndexOf(':')
  return manifestDigest(host, target.pushAddress, upstreamName.slice(0, colon), upstreamName.slice(colon + 1))
}

async function readPublished(file: string): Promise<Published> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Published
  } catch {
    // Missing or broken: everything is pushed again, which finds its layers there.
    return {}
  }
}

async function writePublished(file: string, published: Published): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(`${file}.${process.pid}.tmp`, `${JSON.stringify(published, null, 2)}\n`)
  await rename(`${file}.${process.pid}.tmp`, file)
}
