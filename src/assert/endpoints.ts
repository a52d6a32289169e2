import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/objects.ts'

/** One address and port that a Service sends to. */
export interface Endpoint {
  readonly address: string
  readonly port: number
  /** Name of the Service's port; empty for a single unnamed one. */
  readonly portName: string
  readonly protocol: string
  readonly ready: boolean
  /** The pod behind it, where there is one. */
  readonly pod?: string
  readonly node?: string
}

const sliceKind = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' } as const
const serviceLabel = 'kubernetes.io/service-name'

/** IPv4 and IPv6 endpoints of one Service; FQDN slices have no addresses to compare. */
export async function listSlices(kubernetes: Kubernetes, namespace: string): Promise<KubeObject[]> {
  const slices = await kubernetes.list(sliceKind, { namespace, labelSelector: serviceLabel })
  return slices.filter((slice) => slice['addressType'] !== 'FQDN')
}

/** An endpoint without ports (a named target port no container has) comes back with port 0. */
export function endpointsOf(slices: readonly KubeObject[], service: string): Endpoint[] {
  return slices
    .filter((slice) => slice.metadata.labels?.[serviceLabel] === service)
    .flatMap((slice) => {
      const ports: readonly { name?: string; port?: number; protocol?: string }[] = slice['ports'] ?? []
      const endpoints: readonly {
        addresses: readonly string[]
        conditions?: { ready?: boolean | null }
        targetRef?: { kind: string; name: string }
        nodeName?: string
      }[] = slice['endpoints'] ?? []
      return endpoints.flatMap((endpoint) =>
        endpoint.addresses.flatMap((address) =>
          (ports.length === 0 ? [{ name: '', port: 0, protocol: 'TCP' }] : ports).map((port) => ({
            address,
            port: port.port ?? 0,
            portName: port.name ?? '',
            protocol: port.protocol ?? 'TCP',
            // The API defines an unknown condition as ready.
            ready: endpoint.conditions?.ready !== false,
            ...(endpoint.targetRef?.kind === 'Pod' ? { pod: endpoint.targetRef.name } : {}),
            ...(endpoint.nodeName === undefined ? {} : { node: endpoint.nodeName }),
          })),
        ),
      )
    })
}

export async function readyEndpoints(kubernetes: Kubernetes, namespace: string, service: string): Promise<Endpoint[]> {
  return endpointsOf(await listSlices(kubernetes, namespace), service).filter((endpoint) => endpoint.ready)
}

/** Distinct addresses, sorted, for comparing with what DNS answers. */
export function addressesOf(endpoints: readonly Endpoint[]): string[] {
  return [...new Set(endpoints.map((endpoint) => endpoint.address))].sort()
}
