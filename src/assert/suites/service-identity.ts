import type { HttpRequest, ProbeResult } from '../../probe/protocol.ts'
import type { CheckContext, Outcome } from '../check.ts'
import { converge } from '../converge.ts'
import { endpointsOf, listSlices } from '../endpoints.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { lookEverywhere, requireProbes, verdictOf } from '../per-node.ts'
import { describeDial } from '../probe-batch.ts'

const dialMs = 2_000
/** Enough for 55 backends at that chance; beyond, a second look decides. */
const maxTries = 1_000

/**
 * How many connections show every one of n equally likely backends, but for one chance in a million: each is missed with (1 - 1/n)^tries.
 */
export function triesFor(backends: number): number {
  if (backends <= 1) return 8
  const tries = Math.log(1e-6 / backends) / Math.log(1 - 1 / backends)
  return Math.min(maxTries, Math.ceil(tries))
}

/** On our own Service over the probe pods, which say who they are: an app's answer may not. */
export async function identities(context: CheckContext, environment: SuiteEnvironment): Promise<Outcome> {
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
          name: fleet.services.clusterIp,
          namespace: fleet.namespace,
        }),
        listSlices(kubernetes, fleet.namespace),
      ])
      const ready = endpointsOf(slices, fleet.services.clusterIp).filter((endpoint) => endpoint.ready)
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
