import type { Kubernetes } from '../kubernetes/client.ts'
import { ToolkitError, UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { clusterLabel, kindClusterLabel, listContainers } from './docker.ts'
import { publishedAddress, registryContainer } from './registry.ts'

/** The nodes of a cluster as far as this machine's Docker runs them. */
export interface LoadTarget {
  readonly cluster: string
  readonly nodes: readonly string[]
  /** Of the nodes, as Docker names it too: `amd64`. */
  readonly architecture: string
  /** `127.0.0.1:<port>` of the cluster's own registry, which its nodes ask for upstream names; undefined where it has none of ours. */
  readonly registry: string | undefined
}

/**
 * The cluster's nodes by the cluster's own word, each found among the local containers. kind writes its name into each node's `providerID`.
 * @throws UnsupportedError LOAD_UNREACHABLE when there is a node that is no local container; ToolkitError when one is stopped.
 */
export async function loadTarget(host: Host, kubernetes: Kubernetes, clusterName?: string): Promise<LoadTarget> {
  const nodes = await kubernetes.list({ apiVersion: 'v1', kind: 'Node' })
  const names = nodes.map((node) => node.metadata.name).sort()
  const said = nodes.map((node) => /^kind:\/\/[^/]*\/([^/]+)\//.exec(String(node['spec']?.providerID ?? ''))?.[1])
  const cluster = clusterName ?? said.find((name) => name !== undefined)
  const containers = cluster === undefined ? [] : await listContainers(host, `${kindClusterLabel}=${cluster}`)
  const known = new Map(containers.map((container) => [container.name, container.state]))
  const foreign = names.filter((name) => !known.has(name))
  if (cluster === undefined || foreign.length > 0) {
    const which = foreign.length > 0 ? foreign.join(', ') : 'its nodes'
    throw new UnsupportedError(
      `images can be loaded into kind clusters of this machine alone: no container is ${which}`,
      {
        code: 'LOAD_UNREACHABLE',
        hint: 'Push the images to a registry that the nodes can pull from instead, or run this where the cluster was made.',
      },
    )
  }
  const stopped = names.filter((name) => known.get(name) !== 'running')
  if (stopped.length > 0) {
    throw new ToolkitError(`images cannot be loaded into ${stopped.join(', ')}: ${known.get(stopped[0] ?? '')}`, {
      code: 'IMAGE_LOAD_FAILED',
      hint: `Start it (\`docker start ${stopped[0]}\`) and run this again; no node was touched.`,
    })
  }
  const architecture = String(nodes[0]?.['status']?.nodeInfo?.architecture ?? '')
  return { cluster, nodes: names, architecture, registry: await registryOf(host, cluster) }
}

async function registryOf(host: Host, cluster: string): Promise<string | undefined> {
  const container = registryContainer(cluster)
  const ours = await listContainers(host, `${clusterLabel}=${cluster}`)
  if (!ours.some(({ name, state }) => name === container && state === 'running')) return undefined
  return publishedAddress(host, container)
}
