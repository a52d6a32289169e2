import { NotReadyError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { clusterLabel, containerAddresses, kindClusterLabel, listContainers } from './docker.ts'
import type { NodeInfo } from './provider.ts'

/** The cluster's Kubernetes nodes as Docker has them; kind names node and container alike. */
export async function clusterNodes(host: Host, cluster: string, network: string): Promise<NodeInfo[]> {
  const containers = await listContainers(host, `${kindClusterLabel}=${cluster}`)
  const nodes = containers.flatMap((container) =>
    container.role === 'control-plane' || container.role === 'worker'
      ? [{ name: container.name, role: container.role } as const]
      : [],
  )
  const addresses = await containerAddresses(
    host,
    nodes.map((node) => node.name),
    network,
  )
  return nodes.map((node) => ({ ...node, address: addresses.get(node.name) ?? '' }))
}

/** Starts whatever of a cluster is stopped, as after a restart of the host; resolves with whether anything was. Rejects with NotReadyError when there are no containers at all. */
export async function startNodes(host: Host, cluster: string, timeoutMs: number): Promise<boolean> {
  const [nodes, others] = await Promise.all([
    listContainers(host, `${kindClusterLabel}=${cluster}`),
    listContainers(host, `${clusterLabel}=${cluster}`),
  ])
  if (nodes.length === 0) {
    throw new NotReadyError(`cluster ${cluster} is recorded, but none of its containers is there`, {
      code: 'CLUSTER_GONE',
      hint: 'Somebody removed them behind our back: `k8s-platform down` clears the rest, then `up` makes a new one.',
    })
  }
  const stopped = [...others, ...nodes].filter((container) => container.state !== 'running')
  const paused = stopped.filter((container) => container.state === 'paused').map((container) => container.name)
  const ended = stopped.filter((container) => container.state !== 'paused').map((container) => container.name)
  const options = { timeoutMs: Math.max(1_000, Math.ceil(timeoutMs)) }
  if (paused.length > 0) await host.exec.run('docker', ['unpause', ...paused], options)
  if (ended.length > 0) await host.exec.run('docker', ['start', ...ended], options)
  return stopped.length > 0
}
