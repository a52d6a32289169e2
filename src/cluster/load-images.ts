import { engineFacts } from '../engine/facts.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import { InputError, messageOf, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { waitFor } from '../process/wait.ts'
import { type WantedImage, wantedImages } from './load-request.ts'
import { type LoadTarget, loadTarget } from './load-target.ts'
import { importOnNodes, pullOnNodes, pushBack, pushUpstream, saveIntoNodes, type TimeLeft } from './load-ways.ts'
import { type LoadRegistry, registryForLoads } from './loaded-registry.ts'
import { mirroredHosts } from './mirrors.ts'
import { type NodeImages, nodeImages } from './node-containerd.ts'

export interface LoadImagesRequest {
  readonly kubeconfig: string
  readonly context?: string
  /** Where the nodes of the kubeconfig do not tell by themselves which cluster they are. */
  readonly clusterName?: string
  /** Names that the local Docker knows, as a manifest would write them: `shop:1`, `ghcr.io/org/shop@sha256:...`. */
  readonly images: readonly string[]
  /** Paths of `docker save` or OCI layout archives, compressed or not; every image in them is loaded under its own name. */
  readonly archives: readonly string[]
  /** For all of it. Default 10 minutes. */
  readonly timeoutMs?: number
}

/** One image that every node now has, under the name that manifests use. */
export interface LoadedImage {
  /** Fully written: `docker.io/library/shop:1`. */
  readonly image: string
  /** Digest that the nodes know it by, of its manifest. */
  readonly digest: string
  /** By the cluster's registry, by importing an archive, or not at all: the nodes had it. */
  readonly how: 'registry' | 'archive' | 'present'
  /** The nodes that have it: all of the cluster's. */
  readonly nodes: readonly string[]
  readonly ms: number
}

/** {@link loadImages}, for whoever takes it as a parameter. */
export type LoadImages = (host: Host, request: LoadImagesRequest) => Promise<readonly LoadedImage[]>

const defaultTimeoutMs = 600_000
/** The kubelet's runtime takes up what others put into its store within a moment. */
const takenUpMs = 30_000

/**
 * Puts images into every node of a kind cluster and looks afterwards that they are there, under the names that manifests use. Images of the local Docker go through the
 * cluster's registry where it has one of ours, else by one `docker save` streamed into all nodes; archives are imported. What every node has already is left as it is.
 * @throws InputError with every image and archive that cannot be had, ToolkitError IMAGE_LOAD_FAILED with the nodes that did not take one, and why.
 */
export async function loadImages(
  host: Host,
  request: LoadImagesRequest,
  connect: typeof createKubernetes = createKubernetes,
): Promise<readonly LoadedImage[]> {
  const { kubeconfig, context, clusterName } = request
  const deadline = host.clock.monotonic() + (request.timeoutMs ?? defaultTimeoutMs)
  const left: TimeLeft = () => Math.max(1, Math.ceil(deadline - host.clock.monotonic()))
  const kubernetes = await connect(host, { kubeconfig, ...(context === undefined ? {} : { context }) })
  const target = await loadTarget(host, kubernetes, clusterName)
  const wanted = await wantedImages(host, request, target.architecture)
  refuseDigests(wanted.filter((image) => !viaMirror(target, image)))
  const present = await imagesOfNodes(host, target, wanted)
  const missing = wanted.filter((image) => lacking(target, present, image).length > 0)
  await requireSpace(host, target, missing)
  const registry = missing.some((image) => viaMirror(target, image)) ? await registryForLoads(host, target) : undefined
  const load = { host, target, registry, present, left }
  const loaded = [
    ...wanted.filter((image) => !missing.includes(image)).map((image) => record(target, present, image, 'present', 0)),
    ...(await loadByRegistry(load, missing.filter(viaRegistry(target)))),
    ...(await loadSaved(
      load,
      missing.filter((image) => 'docker' in image.from && !viaRegistry(target)(image)),
    )),
    ...(await loadArchives(load, missing)),
  ]
  for (const { image, how, ms } of loaded) {
    const seconds = (ms / 1_000).toFixed(1)
    host.log.info(how === 'present' ? `${image}: every node has it` : `${image}: on every node by ${how}, ${seconds} s`)
  }
  return loaded
}

/** Node -> what it has of the images wanted. */
type Found = ReadonlyMap<string, NodeImages>

interface Load {
  readonly host: Host
  readonly target: LoadTarget
  /** undefined where nothing goes there. */
  readonly registry: LoadRegistry | undefined
  /** What the nodes had before. */
  readonly present: Found
  readonly left: TimeLeft
}

async function loadByRegistry(load: Load, images: readonly WantedImage[]): Promise<LoadedImage[]> {
  const { host, target, left } = load
  const loaded: LoadedImage[] = []
  for (const image of images) {
    const started = host.clock.monotonic()
    const digest = await pushUpstream(host, load.registry?.published ?? '', image, left)
    // Docker's containerd store knows its images by other digests than their configuration's: what the registry says counts too.
    const pushed = { ...image, ids: [...image.ids, digest] }
    const nodes = lacking(target, load.present, pushed)
    const failures = await pullOnNodes(host, target, nodes, image, left)
    const how = nodes.length === 0 ? 'present' : 'registry'
    loaded.push(...(await verified(load, [pushed], failures, how, started)))
  }
  return loaded
}

async function loadSaved(load: Load, images: readonly WantedImage[]): Promise<LoadedImage[]> {
  if (images.length === 0) return []
  const { host, target, present, left } = load
  const started = host.clock.monotonic()
  const nodes = target.nodes.filter((node) => images.some((image) => lacking(target, present, image).includes(node)))
  const failures = await saveIntoNodes(host, target, nodes, images, left)
  return verified(load, images, failures, 'archive', started)
}

async function loadArchives(load: Load, missing: readonly WantedImage[]): Promise<LoadedImage[]> {
  const { host, target, present, left } = load
  const byArchive = Map.groupBy(missing, ({ from }) => ('archive' in from ? from.archive : undefined))
  const loaded: LoadedImage[] = []
  for (const [archive, images] of byArchive) {
    if (archive === undefined) continue
    const started = host.clock.monotonic()
    const nodes = target.nodes.filter((node) => images.some((image) => lacking(target, present, image).includes(node)))
    const failures = await importOnNodes(host, target, nodes, archive, left)
    loaded.push(...(await verified(load, images, failures, 'archive', started)))
    for (const image of images) {
      if (load.registry !== undefined && viaMirror(target, image))
        await pushBack(host, target, load.registry, image, left)
    }
  }
  return loaded
}

/** The registry serves the names whose hosts the nodes ask it for. */
function viaMirror(target: LoadTarget, { reference }: WantedImage): boolean {
  return target.registry !== undefined && (mirroredHosts as readonly string[]).includes(reference.host)
}

function viaRegistry(target: LoadTarget): (image: WantedImage) => boolean {
  return (image) => 'docker' in image.from && viaMirror(target, image)
}

/** `docker save` keeps names with tags alone. */
function refuseDigests(images: readonly WantedImage[]): void {
  const problems = images
    .filter(({ reference, from }) => 'docker' in from && reference.digest !== undefined)
    .map(({ reference }) => ({
      name: 'images',
      value: reference.name,
      problem: "has a digest, which only the cluster's own registry can serve, for the upstream hosts it mirrors",
      allowed: 'a name with a tag, or a cluster with `registry: true`',
    }))
  if (problems.length > 0) throw new InputError(problems)
}

async function imagesOfNodes(
  host: Host,
  { nodes, architecture }: LoadTarget,
  images: readonly WantedImage[],
): Promise<Found> {
  const names = images.map((image) => image.reference.name)
  return new Map(
    await Promise.all(nodes.map(async (node) => [node, await nodeImages(host, node, names, architecture)] as const)),
  )
}

/** The same image under the same name, and known to the kubelet's runtime. */
function hasImage(images: NodeImages | undefined, { reference, ids }: WantedImage): boolean {
  const image = images?.get(reference.name)
  if (image?.managed !== true) return false
  return image.digest === reference.digest || ids.some((id) => id === image.digest || id === image.config)
}

function lacking(target: LoadTarget, found: Found, image: WantedImage): string[] {
  return target.nodes.filter((node) => !hasImage(found.get(node), image))
}

/** Looks at every node, whatever the programs said. */
async function verified(
  load: Load,
  images: readonly WantedImage[],
  failures: ReadonlyMap<string, unknown>,
  how: LoadedImage['how'],
  started: number,
): Promise<LoadedImage[]> {
  const { host, target } = load
  const names = images.map((image) => image.reference.name).join(', ')
  const taking: LoadTarget = { ...target, nodes: target.nodes.filter((node) => !failures.has(node)) }
  const without = (found: Found): string[] => [...new Set(images.flatMap((image) => lacking(taking, found, image)))]
  let culprits = taking.nodes
  const found = await waitFor(host, `${names} on every node`, () => imagesOfNodes(host, taking, images), {
    done: (seen) => {
      culprits = without(seen)
      return culprits.length === 0
    },
    explain: () => `not on ${culprits.join(', ')}`,
    timeoutMs: Math.min(takenUpMs, load.left()),
  }).catch((error: unknown) => {
    throw loadError(names, target, new Map([...failures, ...culprits.map((node) => [node, error] as const)]))
  })
  if (failures.size > 0) throw loadError(names, target, failures)
  return images.map((image) => record(target, found, image, how, host.clock.monotonic() - started))
}

function loadError(names: string, target: LoadTarget, failures: ReadonlyMap<string, unknown>): ToolkitError {
  const reasons = [...failures].map(([node, error]) => `${node}: ${messageOf(error)}`)
  const others = target.nodes.filter((node) => !failures.has(node))
  const rest = others.length === 0 ? 'no node has it' : `there on ${others.join(', ')}`
  return new ToolkitError(
    `${names} could not be loaded into ${[...failures.keys()].join(', ')} (${rest}): ${reasons[0]}`,
    {
      code: 'IMAGE_LOAD_FAILED',
      hint: 'Run it again when the cause is gone: nodes that have the image are left as they are.',
      diagnostics: reasons,
      cause: [...failures.values()][0],
    },
  )
}

function record(
  target: LoadTarget,
  found: Found,
  { reference }: WantedImage,
  how: LoadedImage['how'],
  ms: number,
): LoadedImage {
  const digest = found.get(target.nodes[0] ?? '')?.get(reference.name)?.digest ?? ''
  return { image: reference.name, digest, how, nodes: target.nodes, ms: Math.round(ms) }
}

/** Each node keeps an image packed and unpacked; what does not fit would fail half way, on a node that then evicts pods. */
async function requireSpace(host: Host, target: LoadTarget, images: readonly WantedImage[]): Promise<void> {
  const bytes = images.reduce((sum, image) => sum + image.bytes, 0) * 2 * target.nodes.length
  if (bytes === 0) return
  const { diskFreeBytes, dataRoot } = await engineFacts(host)
  if (diskFreeBytes === undefined || bytes <= diskFreeBytes) return
  const gibibytes = (count: number): string => `${(count / 2 ** 30).toFixed(1)} GiB`
  const where = `${gibibytes(diskFreeBytes)} are free at ${dataRoot}`
  throw new ToolkitError(`${images.length} images on ${target.nodes.length} nodes need ${gibibytes(bytes)}, ${where}`, {
    code: 'IMAGE_SPACE',
    hint: 'Free some (`docker system df` shows what takes it), make fewer nodes, or load fewer images.',
  })
}
