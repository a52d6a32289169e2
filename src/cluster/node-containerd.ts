import type { Readable } from 'node:stream'
import type { Host } from '../process/host.ts'

/**
 * The containerd of a node, by the `ctr` that every kind node has; `crictl` is not in all of them. Images go into the namespace of the kubelet, whose runtime takes
 * them up by itself: a moment later it labels the name as managed.
 */
export interface NodeImage {
  /** Of its manifest or index. */
  readonly digest: string
  /** Digest of its configuration, which stays the same however its layers are packed; undefined where its content is not there. */
  readonly config: string | undefined
  /** The kubelet's runtime knows the name. */
  readonly managed: boolean
}

/** Name -> image. */
export type NodeImages = ReadonlyMap<string, NodeImage>

const quickMs = 60_000
const hostsFolder = '/etc/containerd/certs.d'
const managedLabel = 'io.cri-containerd.image=managed'

type Bounds = { readonly timeoutMs: number }

/** What a node has of the names given. */
export async function nodeImages(
  host: Host,
  node: string,
  names: readonly string[],
  architecture: string,
): Promise<NodeImages> {
  const { stdout } = await host.exec.run('docker', ctr(node, ['images', 'list']), { quiet: true, timeoutMs: quickMs })
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/))
  const wanted = rows.filter(([name = '', , digest]) => digest !== undefined && names.includes(name))
  return new Map(
    await Promise.all(
      wanted.map(async (row) => {
        const [name = '', , digest = ''] = row
        const config = await configDigest(host, node, digest, architecture)
        return [name, { digest, config, managed: row.at(-1)?.includes(managedLabel) === true }] as const
      }),
    ),
  )
}

interface Manifest {
  readonly config?: { readonly digest: string }
  readonly manifests?: readonly { readonly digest: string; readonly platform?: { readonly architecture: string } }[]
}

async function configDigest(
  host: Host,
  node: string,
  digest: string,
  architecture: string,
): Promise<string | undefined> {
  const { exitCode, stdout } = await host.exec.run('docker', ctr(node, ['content', 'get', digest]), {
    quiet: true,
    allowFailure: true,
    timeoutMs: quickMs,
  })
  if (exitCode !== 0) return undefined
  const { config, manifests } = JSON.parse(stdout) as Manifest
  const own = manifests?.find(({ platform }) => platform?.architecture === architecture)
  return own === undefined ? config?.digest : configDigest(host, node, own.digest, architecture)
}

/**
 * Imports the images of an archive. Without a platform, and with all of them, containerd wants the content of every platform that an index lists, and Docker's own
 * containerd store saves that of its own alone (kubernetes-sigs/kind#3795).
 */
export async function importArchive(
  host: Host,
  node: string,
  archive: Readable,
  options: Bounds & { readonly architecture: string },
): Promise<void> {
  await host.exec.run('docker', ctr(node, ['images', 'import', '--platform', `linux/${options.architecture}`, '-']), {
    quiet: true,
    input: archive,
    timeoutMs: options.timeoutMs,
  })
}

/** Pulls as the kubelet would: through the node's own mirrors. */
export async function pullImage(
  host: Host,
  node: string,
  name: string,
  options: Bounds & { readonly architecture: string },
): Promise<void> {
  const platform = `linux/${options.architecture}`
  await host.exec.run(
    'docker',
    ctr(node, ['images', 'pull', '--hosts-dir', hostsFolder, '--platform', platform, name]),
    {
      quiet: true,
      timeoutMs: options.timeoutMs,
    },
  )
}

/** Gives what is there as `from` the name `to` alone. Nothing is there as `from` where containerd wrote the name out by itself. */
export async function renameImage(host: Host, node: string, from: string, to: string): Promise<void> {
  const options = { quiet: true, allowFailure: true, timeoutMs: quickMs }
  const { exitCode } = await host.exec.run('docker', ctr(node, ['images', 'tag', '--force', from, to]), options)
  if (exitCode === 0) await host.exec.run('docker', ctr(node, ['images', 'remove', from]), options)
}

/** Pushes an image of the node to a registry that it reaches by plain HTTP: `demo-registry:5000/docker.io/library/shop:1`. */
export async function pushFromNode(
  host: Host,
  node: string,
  image: { readonly name: string; readonly remote: string; readonly architecture: string },
  { timeoutMs }: Bounds,
): Promise<void> {
  const args = ['images', 'push', '--plain-http', '--platform', `linux/${image.architecture}`, image.remote, image.name]
  await host.exec.run('docker', ctr(node, args), { quiet: true, timeoutMs })
}

function ctr(node: string, args: readonly string[]): string[] {
  return ['exec', '--interactive', node, 'ctr', '--namespace', 'k8s.io', ...args]
}
