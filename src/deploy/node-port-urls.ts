import type { Kubernetes } from '../kubernetes/client.ts'
import { NotReadyError } from '../process/errors.ts'

/** The part of a Service's values, or of its live spec, that decides where it can be reached. */
export interface Exposure {
  readonly type: string
  readonly nodePort?: number | null
}

/** Gives the URL at which this machine reaches a NodePort. */
export type UrlOf = (exposure: Exposure) => string | undefined

/**
 * How NodePorts are reached from here: by the port of 127.0.0.1 that the cluster was created with, else at a node's own address. No tunnel is involved, so a
 * URL stays good for as long as the cluster lives. For a Service that is not exposed the URL is undefined.
 */
export async function urlResolver(kubernetes: Kubernetes): Promise<UrlOf> {
  const [ports, nodes] = await Promise.all([
    kubernetes.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'k8s-platform-host-ports' }),
    kubernetes.list({ apiVersion: 'v1', kind: 'Node' }),
  ])
  const mapped = (ports?.['data'] ?? {}) as Record<string, string>
  const address = nodes
    .flatMap((node) => (node['status']?.addresses ?? []) as { type: string; address: string }[])
    .find((entry) => entry.type === 'InternalIP')?.address
  return ({ type, nodePort }) => {
    if (type !== 'NodePort' || !nodePort) return undefined
    const place = mapped[String(nodePort)] ?? (address === undefined ? undefined : `${bracketed(address)}:${nodePort}`)
    if (place === undefined)
      throw new NotReadyError('no node of the cluster has an InternalIP', { code: 'NODE_ADDRESS_MISSING' })
    return `http://${place}`
  }
}

/** Where a live Service is exposed: its first port. Undefined when it does not exist. */
export async function exposureOf(
  kubernetes: Kubernetes,
  namespace: string,
  name: string,
): Promise<Exposure | undefined> {
  const service = await kubernetes.get({ apiVersion: 'v1', kind: 'Service', namespace, name })
  if (service === undefined) return undefined
  return { type: service['spec'].type, nodePort: service['spec'].ports?.[0]?.nodePort }
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}
