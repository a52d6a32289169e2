import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { withFileLock } from '../process/file-lock.ts'
import type { Host } from '../process/host.ts'
import { clusterLabel, listContainers } from './docker.ts'
import type { LoadTarget } from './load-target.ts'
import { hostsFiles } from './mirrors.ts'
import { filesWith, writeMirrors } from './node-mirrors.ts'
import { inNetwork, publishedAddress, registryContainer, registryInNetwork, startRegistry } from './registry.ts'

/** Where the images of one cluster's user go. */
export interface LoadRegistry {
  /** From the host: `127.0.0.1:<port>`. */
  readonly published: string
  /** From the nodes: `demo-registry:5000`. */
  readonly inNetwork: string
}

const lockTimeoutMs = 300_000

/** The container that has what was loaded, where the cluster's registry shares its content with other clusters. */
export function loadedRegistryContainer(cluster: string): string {
  return `${cluster}-loaded`
}

/**
 * A registry that nobody but this cluster pulls from: its own, where that keeps its content for itself. With `image-source: packages` all clusters of the host serve one folder, and
 * what is put there as docker.io/library/postgres:15 is what all of them, and later ones, get for it. There a second registry is started with the first load; its content goes with
 * its container, and that with the cluster.
 */
export async function registryForLoads(host: Host, { cluster, nodes, registry }: LoadTarget): Promise<LoadRegistry> {
  const own = await storageOf(host, registryContainer(cluster))
  if (!own.shared) return { published: registry ?? '', inNetwork: inNetwork(registryContainer(cluster)) }
  const container = loadedRegistryContainer(cluster)
  const lock = join(host.paths.state, `${container}.lock`)
  const options = { timeoutMs: lockTimeoutMs, doing: 'is loading images' }
  const published = await withFileLock(host, lock, options, async () => {
    const there = await listContainers(host, `${clusterLabel}=${cluster}`)
    const running = there.some(({ name, state }) => name === container && state === 'running')
    const address = running
      ? await publishedAddress(host, container)
      : `127.0.0.1:${(await startRegistry(host, { cluster, container, ...own })).port}`
    // After it is there: a node asks one that is not for 20 s before it asks the next. Also when it was there: a run may have been killed in between.
    await askFirst(host, cluster, nodes, `http://${inNetwork(container)}`)
    return address ?? ''
  })
  return { published, inNetwork: inNetwork(container) }
}

/** The hosts.toml files of nodes that do not ask it yet, as they were written for a sealed cluster, with one more registry in front. */
async function askFirst(host: Host, cluster: string, nodes: readonly string[], loaded: string): Promise<void> {
  const files = hostsFiles({ registry: registryInNetwork(cluster), loaded, upstream: {}, sealed: true })
  const asking = await Promise.all(nodes.map((node) => filesWith(host, node, files, `${loaded}/`)))
  const others = nodes.filter((_node, index) => asking[index] !== files.length)
  if (others.length === 0) return
  await mkdir(host.paths.temp, { recursive: true })
  const folder = await mkdtemp(join(host.paths.temp, 'loaded-registry-'))
  try {
    await writeMirrors(host, others, files, folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Storage {
  /** Its content is a folder of the host, which outlives the cluster. */
  readonly shared: boolean
  /** What another registry beside it is started with. */
  readonly image: string
  readonly network: string | undefined
  readonly runArgs: readonly string[]
}

async function storageOf(host: Host, container: string): Promise<Storage> {
  const { stdout } = await host.exec.run('docker', ['inspect', '--type', 'container', container], {
    quiet: true,
    timeoutMs: 60_000,
  })
  const [facts] = JSON.parse(stdout) as {
    readonly Image: string
    readonly HostConfig: { readonly Dns?: readonly string[] | null }
    readonly Mounts: readonly { readonly Type: string }[]
    readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> }
  }[]
  // `docker inspect` fails for what is not there.
  if (facts === undefined) throw new Error(`docker inspect said nothing of ${container}`)
  return {
    shared: facts.Mounts.some(({ Type }) => Type === 'bind'),
    image: facts.Image,
    network: Object.keys(facts.NetworkSettings.Networks)[0],
    runArgs: (facts.HostConfig.Dns ?? []).flatMap((server) => ['--dns', server]),
  }
}
