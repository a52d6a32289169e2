import type { KubeObject } from '../../kubernetes/objects.ts'
import type { TcpRequest } from '../../probe/protocol.ts'
import type { Json } from '../../report/record.ts'
import { type CheckContext, type Outcome, skipped } from '../check.ts'
import { converge, summarize } from '../converge.ts'
import { type Endpoint, endpointsOf } from '../endpoints.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { lookEverywhere, requireProbes, verdictOf } from '../per-node.ts'
import { describeDial } from '../probe-batch.ts'
import { type NamespaceState, readNamespace } from '../service-state.ts'

const dialMs = 2_000

/** A dial and what it stands for. */
interface Dial {
  readonly service: string
  readonly request: TcpRequest
  readonly what: string
  /** A NetworkPolicy selects the pod: a denial may be what was asked for. Proven by the network-policy suite, not here. */
  readonly isolatedBy?: string
}

export async function backendsConnect(context: CheckContext, environment: SuiteEnvironment): Promise<Outcome> {
  return dialEverywhere(context, environment, 'backends', (state) =>
    state.services.flatMap((service) =>
      uniqueEndpoints(state, service).map((endpoint) => {
        const policy = endpoint.pod === undefined ? undefined : state.isolating(endpoint.pod)
        return {
          service: service.metadata.name,
          request: tcp(
            `${service.metadata.name}/${endpoint.address}/${endpoint.port}`,
            endpoint.address,
            endpoint.port,
          ),
          what: `${endpoint.pod ?? 'endpoint'} (${endpoint.address}:${endpoint.port}) of Service ${service.metadata.name}`,
          ...(policy === undefined ? {} : { isolatedBy: policy }),
        }
      }),
    ),
  )
}

export async function clusterIpsConnect(context: CheckContext, environment: SuiteEnvironment): Promise<Outcome> {
  return dialEverywhere(context, environment, 'ClusterIP ports', (state) =>
    state.services.flatMap((service) => {
      const address: string = service['spec']?.clusterIP ?? 'None'
      if (address === 'None' || address === '') return []
      const ready = uniqueEndpoints(state, service)
      const policy = ready
        .map((one) => (one.pod === undefined ? undefined : state.isolating(one.pod)))
        .find((one) => one)
      const ports: readonly { name?: string; port: number; protocol?: string }[] = service['spec']?.ports ?? []
      return ports
        .filter((port) => (port.protocol ?? 'TCP') === 'TCP')
        .filter((port) => ready.some((endpoint) => endpoint.portName === (port.name ?? '')))
        .map((port) => ({
          service: service.metadata.name,
          request: tcp(`${service.metadata.name}/${port.port}`, address, port.port),
          what: `Service ${service.metadata.name} (${address}:${port.port})`,
          ...(policy === undefined ? {} : { isolatedBy: policy }),
        }))
    }),
  )
}

function tcp(id: string, host: string, port: number): TcpRequest {
  return { kind: 'tcp', id, host, port, timeoutMs: dialMs }
}

function uniqueEndpoints(state: NamespaceState, service: KubeObject): Endpoint[] {
  return endpointsOf(state.slices, service.metadata.name).filter(
    (endpoint) => endpoint.ready && endpoint.protocol === 'TCP' && endpoint.port > 0,
  )
}

async function dialEverywhere(
  context: CheckContext,
  environment: SuiteEnvironment,
  plural: string,
  plan: (state: NamespaceState) => readonly Dial[],
): Promise<Outcome> {
  const { kubernetes, namespace } = environment
  if (plan(await readNamespace(kubernetes, namespace)).length === 0) {
    return skipped(`no Service of namespace ${namespace} has ready TCP endpoints`)
  }
  context.waiting('the probe pods')
  const fleet = await environment.fleet()
  requireProbes(fleet)
  let dials: readonly Dial[] = []
  let isolated = new Set<string>()
  const seen = await converge(
    context,
    async () => {
      dials = plan(await readNamespace(kubernetes, namespace))
      isolated = new Set()
      const requests = dials.map((dial) => dial.request)
      return lookEverywhere(fleet, requests, (results) =>
        dials.flatMap((dial) => {
          const result = results.get(dial.request.id)
          if (result === undefined) return [`${dial.what}: no record`]
          if (result.dial === 'connected') return []
          if (dial.isolatedBy !== undefined && (result.dial === 'timeout' || result.dial === 'refused')) {
            isolated.add(`${dial.what}: ${result.dial}; NetworkPolicy ${dial.isolatedBy} selects it`)
            return []
          }
          return [`${dial.what}: ${describeDial(result)}`]
        }),
      )
    },
    { timeoutMs: environment.convergeMs },
  )
  if (seen.matched && isolated.size === dials.length) {
    return skipped(`every backend is isolated by a NetworkPolicy: ${summarize([...isolated], 1)}`)
  }
  return verdictOf({
    fleet,
    seen,
    lost: seen.value.lost,
    reason: `${dials.length - isolated.size} ${plural} of ${new Set(dials.map((dial) => dial.service)).size} Services connect`,
    observations: { dialled: dials.map((dial) => dial.what), isolated: [...isolated] } satisfies Record<string, Json>,
    command: `kubectl -n ${namespace} get services,endpointslices,pods -o wide`,
  })
}
