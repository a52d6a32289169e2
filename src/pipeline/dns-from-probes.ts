import type { Fleet, Probe } from '../assert/probe-pods.ts'
import { type AskDns, dnsAnswers } from '../cluster/readiness-dns.ts'
import { joinReasons } from '../cluster/reasons.ts'
import { NotReadyError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { pause, waitFor } from '../process/wait.ts'

const lookupMs = 2_000

/**
 * Asks cluster DNS from the proof's probe pods, which start anyway: two sets of pods on each node are twice the wait. Where they do not answer on every node, or can be
 * asked no more, the gate asks from pods of its own, and tells what is wrong there.
 */
export function dnsFromProbes(fleet: Promise<Fleet>): AskDns {
  return async (host, kubernetes, request) => {
    const deadline = host.clock.monotonic() + request.timeoutMs
    const left = (): number => Math.max(1, Math.ceil(deadline - host.clock.monotonic()))
    // Where they do not come, pods of the gate's own have time left to show what keeps them.
    const found = await Promise.race([fleet.catch(() => undefined), pause(request.timeoutMs / 2, host.signal)])
    const probes = found?.probes.filter(({ node }) => request.nodes.includes(node)) ?? []
    const everywhere = found !== undefined && probes.length === request.nodes.length
    if (everywhere && (await answered(host, probes, nameIn(found), left()))) return
    await dnsAnswers(host, kubernetes, { ...request, timeoutMs: left() })
  }
}

const nameIn = ({ clusterDomain }: Fleet): string => `kubernetes.default.svc.${clusterDomain}.`

/** Waits for an answer on every node; false where a probe can be asked no more. @throws NotReadyError naming the nodes without one. */
async function answered(host: Host, probes: readonly Probe[], name: string, timeoutMs: number): Promise<boolean> {
  try {
    const reasons = await waitFor(host, 'an answer of cluster DNS on every node', () => nodesWithout(probes, name), {
      timeoutMs,
      done: (seen) => seen === undefined || seen.length === 0,
      explain: (seen) => joinReasons(seen ?? []),
    })
    return reasons !== undefined
  } catch (error) {
    if (!(error instanceof NotReadyError)) throw error
    throw new NotReadyError(error.message, { code: 'DNS_NOT_READY', cause: error })
  }
}

/** Why there was no answer, for each node without one; undefined where a probe cannot be asked. */
async function nodesWithout(probes: readonly Probe[], name: string): Promise<readonly string[] | undefined> {
  const base = { kind: 'dns', name, transport: 'udp', search: false, timeoutMs: lookupMs } as const
  const questions = [
    { ...base, id: 'v4', type: 'A' },
    { ...base, id: 'v6', type: 'AAAA' },
  ] as const
  try {
    const answers = await Promise.all(probes.map((probe) => probe.run(questions)))
    return answers.flatMap((results, at) => {
      if (results.some(({ dns }) => dns !== undefined && dns.answers.length > 0)) return []
      const [first] = results
      return [`${probes[at]?.node}: ${first?.dns?.rcode ?? first?.dial}`]
    })
  } catch {
    return undefined
  }
}
