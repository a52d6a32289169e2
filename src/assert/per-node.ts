import type { ProbeRequest, ProbeResult } from '../probe/protocol.ts'
import { messageOf } from '../process/errors.ts'
import type { Json } from '../report/record.ts'
import { fail, inconclusive, type Outcome, pass } from './check.ts'
import { type Converged, type Look, summarize } from './converge.ts'
import { LostError } from './engine.ts'
import type { Fleet, Probe } from './probe-pods.ts'

/** What the same questions brought on every node. */
export interface Survey {
  readonly results: ReadonlyMap<Probe, ReadonlyMap<string, ProbeResult>>
  /** Nodes whose records were lost: about them nothing can be said. */
  readonly lost: readonly string[]
}

/** Sends the same requests to every probe pod. */
export async function askEverywhere(fleet: Fleet, requests: readonly ProbeRequest[]): Promise<Survey> {
  const results = new Map<Probe, ReadonlyMap<string, ProbeResult>>()
  const lost: string[] = []
  await Promise.all(
    fleet.probes.map(async (probe) => {
      try {
        results.set(probe, new Map((await probe.run(requests)).map((result) => [result.id, result])))
      } catch (error) {
        lost.push(`${probe.node}: ${messageOf(error)}`)
      }
    }),
  )
  return { results, lost: lost.sort() }
}

/**
 * Nothing can be asked without a probe. Nodes without one are R1.probes' finding: the other nodes are looked at all the same.
 * @throws LostError when there is none at all.
 */
export function requireProbes(fleet: Fleet): void {
  if (fleet.probes.length > 0) return
  const why = fleet.missing.map(({ node, reason }) => `${node}: ${reason}`)
  throw new LostError(`no probe pod answered: ${summarize(why)}`)
}

export interface NodeVerdictOptions<T> {
  readonly fleet: Fleet
  readonly seen: Converged<T>
  readonly lost: readonly string[]
  readonly reason: string
  readonly observations?: Readonly<Record<string, Json>>
  /** A command that shows more about what is red. */
  readonly command: string
}

/** Red if anything differed; inconclusive if a node's records were lost; green else, naming the nodes that were not asked. */
export function verdictOf<T>(options: NodeVerdictOptions<T>): Outcome {
  const { fleet, seen, lost } = options
  const observations = {
    ...options.observations,
    nodes: fleet.probes.map((probe) => probe.node),
    ...(fleet.missing.length > 0 ? { notAskedFrom: fleet.missing.map(({ node }) => node) } : {}),
    ...(seen.looks > 1 ? { looks: seen.looks } : {}),
  }
  if (!seen.matched && seen.differences.length > 0) {
    return fail(summarize(mergeNodes(seen.differences)), {
      observations,
      evidence: [{ text: seen.differences.slice(0, 40).join('\n'), command: options.command }],
    })
  }
  if (!seen.matched) return inconclusive('ended before the answer was confirmed', { observations })
  if (lost.length > 0) return inconclusive(summarize(lost), { observations, lost: true })
  const absent =
    fleet.missing.length === 0 ? '' : ` (not asked from ${fleet.missing.map(({ node }) => node).join(', ')})`
  return pass(`${options.reason} from ${fleet.probes.length} nodes${absent}`, {
    observations,
    timeToConvergeMs: seen.timeToConvergeMs,
  })
}

/** `from worker1: x`, `from worker2: x` become `x (from worker1, worker2)`: one cause, one line. */
export function mergeNodes(differences: readonly string[]): string[] {
  const byText = new Map<string, string[]>()
  for (const difference of differences) {
    const [, node, text] = /^from (\S+): (.*)$/s.exec(difference) ?? [undefined, '', difference]
    byText.set(text ?? difference, [...(byText.get(text ?? difference) ?? []), node ?? ''])
  }
  return [...byText].map(([text, nodes]) => {
    const named = nodes.filter((node) => node !== '')
    return named.length === 0 ? text : `${text} (from ${named.join(', ')})`
  })
}

/** Runs one look over all nodes and gathers the differences, each beginning with its node. */
export async function lookEverywhere(
  fleet: Fleet,
  requests: readonly ProbeRequest[],
  differ: (results: ReadonlyMap<string, ProbeResult>, probe: Probe) => readonly string[],
): Promise<Look<Survey>> {
  const survey = await askEverywhere(fleet, requests)
  const differences = [...survey.results].flatMap(([probe, results]) =>
    differ(results, probe).map((text) => `from ${probe.node}: ${text}`),
  )
  return { value: survey, differences }
}
