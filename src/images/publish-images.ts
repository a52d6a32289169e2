import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { NotReadyError, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { imageFolders } from './folders.ts'
import { Lane } from './run-graph.ts'

const pushTimeoutMs = 600_000
const headTimeoutMs = 10_000

/** What a registry may answer with; docker 20.10 pushes the first, newer clients the others. */
const manifestTypes = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.index.v1+json',
].join(', ')

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
  const ids = await imageIds(
    host,
    images.map((image) => image.localTag),
  )
  const file = imageFolders(host).published
  const known = await readPublished(file)
  const pushed: string[] = []
  const skipped: string[] = []
  const pushing = new Lane(2)
  await Promise.all(
    images.map(async (image) => {
      const id = ids.get(image.localTag) ?? ''
      const before = known[image.upstreamName]
      if (before?.imageId === id && (await manifestDigest(host, target, image.upstreamName)) === before.digest) {
        skipped.push(image.upstreamName)
        return
      }
      await pushing.run(0, () => push(host, target, image))
      const digest = await manifestDigest(host, target, image.upstreamName)
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

async function push(host: Host, target: PublishTarget, image: ImageToPublish): Promise<void> {
  const name = `${target.pushAddress}/${image.upstreamName}`
  await host.exec.run('docker', ['tag', image.localTag, name], { quiet: true })
  try {
    await host.exec.run('docker', ['push', '--quiet', name], {
      quiet: true,
      timeoutMs: pushTimeoutMs,
      signal: host.signal,
    })
  } finally {
    // The name was for the push alone; the image stays under its own.
    await host.exec.run('docker', ['rmi', '--no-prune', name], { quiet: true, allowFailure: true })
  }
}

/** Digest of what the registry has under a name; undefined when it has nothing. */
async function manifestDigest(host: Host, target: PublishTarget, upstreamName: string): Promise<string | undefined> {
  const colon = upstreamName.lastIndexOf(':')
  const url = `http://${target.pushAddress}/v2/${upstreamName.slice(0, colon)}/manifests/${upstreamName.slice(colon + 1)}`
  const signal = AbortSignal.any([host.signal, AbortSignal.timeout(headTimeoutMs)])
  const response = await fetch(url, { method: 'HEAD', headers: { accept: manifestTypes }, signal }).catch(
    (cause: unknown) => {
      throw new NotReadyError(`no answer from the registry at ${target.pushAddress}`, {
        hint: 'Is the registry container running? docker ps shows it.',
        cause,
      })
    },
  )
  if (response.status === 404) return undefined
  const digest = response.headers.get('docker-content-digest')
  if (response.ok && digest !== null) return digest
  throw new ToolkitError(`the registry at ${target.pushAddress} answered ${response.status} for ${upstreamName}`, {
    code: 'REGISTRY_ANSWER',
    hint: 'Does something else listen on that port?',
  })
}

async function imageIds(host: Host, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const unique = [...new Set(names)]
  const { stdout } = await host.exec.run('docker', ['image', 'inspect', '--format', '{{.Id}}', ...unique], {
    quiet: true,
  })
  const ids = stdout.trim().split('\n')
  return new Map(unique.map((name, index) => [name, ids[index] ?? '']))
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
