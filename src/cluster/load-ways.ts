import type { Readable } from 'node:stream'
import { CommandError, messageOf, NotReadyError, ToolkitError } from '../process/errors.ts'
import { fanOut } from '../process/fan-out.ts'
import type { Host } from '../process/host.ts'
import { pushImage } from './docker-images.ts'
import { type ImageArchive, openArchive } from './image-archive.ts'
import type { WantedImage } from './load-request.ts'
import type { LoadTarget } from './load-target.ts'
import type { LoadRegistry } from './loaded-registry.ts'
import { importArchive, pullImage, pushFromNode, renameImage } from './node-containerd.ts'
import { manifestDigest } from './registry-manifest.ts'

/** Milliseconds left for all of it. */
export type TimeLeft = () => number

/** Does something on several nodes at once; resolves with why it failed, by node. Those that it did not fail on are done. */
async function onEach(
  nodes: readonly string[],
  act: (node: string, index: number) => Promise<void>,
): Promise<ReadonlyMap<string, unknown>> {
  const results = await Promise.allSettled(nodes.map((node, index) => act(node, index)))
  return new Map(
    results.flatMap((result, index) =>
      result.status === 'rejected' ? [[nodes[index] ?? '', result.reason as unknown] as const] : [],
    ),
  )
}

/**
 * Into the registry for loads under the upstream name, which the nodes' mirrors lead to: what a node loses to its garbage collection, and an `imagePullPolicy` of Always, finds
 * it there. Resolves with the digest that the registry gave it.
 */
export async function pushUpstream(host: Host, registry: string, image: WantedImage, left: TimeLeft): Promise<string> {
  const { reference, from } = image
  if (!('docker' in from)) throw new Error('only images of the local Docker can be pushed')
  const repository = `${reference.host}/${reference.repository}`
  const tag = reference.tag ?? `sha256-${reference.digest?.slice(7, 19)}`
  await pushImage(host, from.docker, `${registry}/${repository}:${tag}`, left())
  const digest = await manifestDigest(host, registry, repository, tag)
  if (digest === undefined) {
    throw new NotReadyError(`the registry at ${registry} took ${reference.name} and does not have it`, {
      hint: 'Look at the registry container’s log, and whether its disk is full.',
    })
  }
  if (reference.digest === undefined || reference.digest === digest) return digest
  throw new ToolkitError(`${reference.name} cannot be given to the nodes: pushed, it has the digest ${digest}`, {
    code: 'IMAGE_DIGEST_DIFFERS',
    hint: 'Docker keeps one platform of an image, packed anew when pushed, so digests of registries are lost. Name the image by its tag.',
  })
}

/** The nodes fetch it from their mirror now: with an `imagePullPolicy` of Never nobody would later. */
export function pullOnNodes(
  host: Host,
  target: LoadTarget,
  nodes: readonly string[],
  image: WantedImage,
  left: TimeLeft,
): Promise<ReadonlyMap<string, unknown>> {
  return onEach(nodes, (node) =>
    pullImage(host, node, image.reference.name, { timeoutMs: left(), architecture: target.architecture }),
  )
}

/** One `docker save` of all of them, streamed into the nodes as it comes: nothing lies on the disk in between. */
export async function saveIntoNodes(
  host: Host,
  target: LoadTarget,
  nodes: readonly string[],
  images: readonly WantedImage[],
  left: TimeLeft,
): Promise<ReadonlyMap<string, unknown>> {
  const names = images.flatMap(({ from }) => ('docker' in from ? [from.docker] : []))
  const { input, branches } = fanOut(nodes.length)
  const importing = onEach(nodes, (node, index) => {
    // As many branches as nodes.
    const archive = branches[index] as Readable
    return importArchive(host, node, archive, { timeoutMs: left(), architecture: target.architecture }).finally(() =>
      archive.destroy(),
    )
  })
  const saving = host.exec
    .run('docker', ['save', ...names], { quiet: true, output: input, timeoutMs: left() })
    .then(() => undefined)
    .catch((error: unknown) => {
      input.destroy(new Error('docker save failed'))
      return error
    })
  const [failures, failure] = await Promise.all([importing, saving])
  // When every node has gone away, the pipe breaks: their reasons tell more.
  if (failure !== undefined && (failures.size === 0 || !isBrokenPipe(failure))) throw failure
  return failures
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof CommandError && (error.killedBy === 'SIGPIPE' || /broken pipe|EPIPE/i.test(error.stderr))
}

/** An archive into the nodes, each reading it for itself, and each image under the name that manifests use. */
export function importOnNodes(
  host: Host,
  target: LoadTarget,
  nodes: readonly string[],
  archive: ImageArchive,
  left: TimeLeft,
): Promise<ReadonlyMap<string, unknown>> {
  return onEach(nodes, async (node) => {
    await importArchive(host, node, await openArchive(archive.path), {
      timeoutMs: left(),
      architecture: target.architecture,
    })
    for (const { rawName, name } of archive.images) if (rawName !== name) await renameImage(host, node, rawName, name)
  })
}

/** What came by archive goes from a node into the registry too, for the same reasons; without it the image is where it must be, so this only warns. */
export async function pushBack(
  host: Host,
  target: LoadTarget,
  registry: LoadRegistry,
  image: WantedImage,
  left: TimeLeft,
): Promise<void> {
  const [node = ''] = target.nodes
  const { name } = image.reference
  const remote = `${registry.inNetwork}/${name}`
  try {
    await pushFromNode(host, node, { name, remote, architecture: target.architecture }, { timeoutMs: left() })
  } catch (error) {
    host.log.warning(`${name} is on every node and not in the cluster's registry: ${messageOf(error)}`)
  }
}
