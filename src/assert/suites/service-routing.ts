import type { KubeObject } from '../../kubernetes/objects.ts'
import type { HttpRequest, ProbeResult, TcpRequest } from '../../probe/protocol.ts'
import type { Json } from '../../report/record.ts'
import { type Check, type CheckContext, fail, type Outcome, pass, skipped } from '../check.ts'
import { converge, summarize } from '../converge.ts'
import { type Endpoint, endpointsOf, listSlices } from '../endpoints.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { lookEverywhere, requireProbes, verdictOf } from '../per-node.ts'
import { describeDial } from '../probe-batch.ts'
import { probeServices } from '../probe-manifests.ts'
import { explainNoEndpoints, type NamespaceState, readNamespace } from '../service-state.ts'

const dialMs = 2_000
/** Enough for 55 backends at that chance; beyond, a second look decides. */
const maxTries = 1_000

/** S1: a Service's address reaches every ready backend and nothing else, from every node. */
export function serviceRoutingChecks(environment: SuiteEnvironment): Check[] {
  const base = { suite: 'service-routing', lane: 'parallel', needs: [], timeoutMs: 200_000 } as const
  return [
    {
      ...base,
      id: 'S1.identity',
      title: 'A ClusterIP reaches every ready pod behind it and no other, from every node',
      alongside: ['R1.probes'],
      run: (context) => identities(context, environment),
    },
    {
      ...base,
      id: 'S1.endpoints',
      title: 'Every Service with a selector has ready endpoints with ports',
      timeoutMs: environment.convergeMs + 20_000,
      run: (context) => endpointsReady(context, environment),
    },
    {
      ...base,
      id: 'S1.backends',
      title: 'Every ready endpoint of every Service accepts connections, from every node',
      alongside: ['R1.probes'],
      run: (context) => backendsConnect(context, environment),
    },
    {
      ...base,
      id: 'S1.cluster-ip',
      title: 'Every ClusterIP with ready endpoints accepts connections, from every node',
      needs: ['S1.backends'],
      alongside: ['R1.probes'],
      run: (context) => clusterIpsConnect(context, environment),
    },
  ]
}

/**
 * How many connections show every one of n equally likely backends, but for one chance in a million: each is missed with (1 - 1/n)^tries.
 */
export function triesFor(backends: number): number {
  if (backends <= 1) return 8
  const tries = Math.log(1e-6 / backends) / Math.log(1 - 1 / backends)
  return Math.min(maxTries, Math.ceil(tries))
}

/** On our own Service over the probe pods, which say who they are: an app's answer may not. */
async function identities(context: CheckContext, environment: SuiteEnvironment): Promise<Outcome> {
  const { kubernetes } = environment
  context.waiting('the probe pods')
  const fleet = await environment.fleet()
  requireProbes(fleet)
  let expected: string[] = []
  const counts: Record<string, Record<string, number>> = {}
  const seen = await converge(
    context,
    async () => {
      const [service, slices] = await Promise.all([
        kubernetes.get({
          apiVersion: 'v1',
          kind: 'Service',
          name: probeServices.clusterIp,
          namespace: fleet.namespace,
        }),
        listSlices(kubernetes, fleet.namespace),
      ])
      const ready = endpointsOf(slices, probeServices.clusterIp).filter((endpoint) => endpoint.ready)
      expected = [...new Set(ready.map((endpoint) => endpoint.pod ?? endpoint.address))].sort()
      const viaService = Array.from({ length: triesFor(expected.length) }, (_, i) =>
        httpGet(`service/${i}`, service?.['spec']?.clusterIP ?? '', 80),
      )
      const direct = ready.map((endpoint) => httpGet(`pod/${endpoint.pod}`, endpoint.address, endpoint.port))
      return lookEverywhere(fleet, [...viaService, ...direct], (results, probe) => {
        const tally = tallyOf(results)
        counts[probe.node] = tally.pods
        return compareIdentities(expected, tally, results)
      })
    },
    { timeoutMs: environment.convergeMs },
  )
  return verdictOf({
    fleet,
    seen,
    lost: seen.value.lost,
    reason: `${expected.length} of ${expected.length} backends seen, none extra,`,
    observations: { expected, answers: counts },
    command: `kubectl -n ${fleet.namespace} get endpointslices,pods -o wide`,
  })
}

function httpGet(id: string, address: string, port: number): HttpRequest {
  const host = address.includes(':') ? `[${address}]` : address
  return { kind: 'http', id, url: `http://${host}:${port}/`, timeoutMs: dialMs }
}

interface Tally {
  readonly pods: Record<string, number>
  readonly failures: Record<string, number>
}

function tallyOf(results: ReadonlyMap<string, ProbeResult>): Tally {
  const pods: Record<string, number> = {}
  const failures: Record<string, number> = {}
  for (const [id, result] of results) {
    if (!id.startsWith('service/')) continue
    const pod = result.http?.identity
    if (pod === undefined) failures[result.dial] = (failures[result.dial] ?? 0) + 1
    else pods[pod] = (pods[pod] ?? 0) + 1
  }
  return { pods, failures }
}

function compareIdentities(
  expected: readonly string[],
  tally: Tally,
  results: ReadonlyMap<string, ProbeResult>,
): string[] {
  const differences: string[] = []
  if (expected.length === 0) differences.push('the probe Service has no ready endpoints')
  for (const [dial, count] of Object.entries(tally.failures))
    differences.push(`${count} connections to the ClusterIP: ${dial}`)
  const never = expected.filter((pod) => tally.pods[pod] === undefined)
  if (never.length > 0) differences.push(`the ClusterIP never reached ${never.join(', ')}`)
  const extra = Object.keys(tally.pods).filter((pod) => !expected.includes(pod))
  if (extra.length > 0) differences.push(`the ClusterIP also reached ${extra.join(', ')}`)
  for (const [id, result] of results) {
    if (!id.startsWith('pod/')) continue
    const pod = id.slice('pod/'.length)
    if (result.http?.identity === pod) continue
    const got =
      result.dial === 'connected' ? `answered by ${result.http?.identity ?? 'something unknown'}` : describeDial(result)
    differences.push(`pod address of ${pod}: ${got}`)
  }
  return differences
}

async function endpointsReady(context: CheckContext, environment: SuiteEnvironment): Promise<Outcome> {
  const { kubernetes, namespace } = environment
  const seen = await converge(
    context,
    async () => {
      const state = await readNamespace(kubernetes, namespace)
      const findings = state.services.flatMap((service) => {
        const why = explainNoEndpoints(state, service)
        return why === undefined ? [] : [{ service: service.metadata.name, ...why }]
      })
      const differences = findings.filter((one) => one.fault).map((one) => `Service ${one.service}: ${one.text}`)
      return { value: { state, findings }, differences }
    },
    { timeoutMs: environment.convergeMs, intervalMs: 1_000 },
  )
  const { state, findings } = seen.value
  const observations = {
    services: state.services.map((service) => service.metadata.name),
    withoutEndpoints: findings.map((one) => `${one.service}: ${one.text}`),
  }
  if (!seen.matched) {
    return fail(summarize(seen.differences), {
      observations,
      evidence: findings
        .filter((one) => one.fault)
        .map((one) => ({
          text: `Service ${one.service}: ${one.text}`,
          command: `kubectl -n ${namespace} describe service ${one.service}`,
        })),
    })
  }
  if (state.services.length === 0) return skipped(`namespace ${namespace} has no Services`)
  const idle =
    findings.length === 0 ? '' : `; without endpoints on purpose: ${findings.map((one) => one.service).join(', ')}`
  return pass(`${state.services.length} Services${idle}`, { observations, timeToConvergeMs: seen.timeToConvergeMs })
}

/** A dial and what it stands for. */
interface Dial {
  readonly service: string
  readonly request: TcpRequest
  readonly what: string
  /** A NetworkPolicy selects the pod: a denial may be what was asked for. Proven by the network-policy suite, not here. */
  readonly isolatedBy?: string
}

async function backendsConnect(context: CheckContext, environment: SuiteEnvironment): Promise<Outcome> {
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

async function clusterIpsConnect(context: CheckContext, environment: SuiteEnvironment): Promise<Outcome> {
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
