import { flows, type NamespaceKey } from './fixture.ts'

/** One case: policies, and who must reach whom while they are there. */
export interface PolicyCase {
  /** Unique: the row of docs/reliability.md. */
  readonly name: string
  readonly policies: readonly CasePolicy[]
  /**
   * Everything is allowed but for these lines, `deny` or `allow`, then `source -> target` as in fixture.ts with `*` for any text; the last line that matches a flow
   * decides. Written by hand from the Kubernetes documentation of NetworkPolicy and the comments of its API (k8s.io/api/networking/v1/types.go), never from what
   * an implementation did.
   */
  readonly expected: readonly string[]
}

export interface CasePolicy {
  readonly namespace: NamespaceKey
  /** `spec` of the NetworkPolicy. `{x/a}` and `{node1}` in a CIDR stand for the address of that pod or node. */
  readonly spec: object
}

export type Verdict = 'connected' | 'timeout'

/**
 * What no policy can forbid: a pod reaching itself, and packets between a pod and the node that it runs on (page "Network Policies" of the Kubernetes documentation).
 */
export const always: readonly string[] = [
  'allow x/a -> x/a:*',
  'allow x/b -> x/b:*',
  'allow y/a -> y/a:*',
  'allow y/b -> y/b:*',
  'allow z/a -> z/a:*',
  'allow node1 -> x/a:*',
  'allow node1 -> y/b:*',
  'allow node1 -> z/a:*',
  'allow node2 -> x/b:*',
  'allow node2 -> y/a:*',
  'allow x/a -> node1:*',
  'allow y/b -> node1:*',
  'allow z/a -> node1:*',
  'allow x/b -> node2:*',
  'allow y/a -> node2:*',
]

/** The verdict of every flow under lines of an expectation. Denied means dropped: the client sees a time-out, not a refusal. */
export function expectedVerdicts(lines: readonly string[]): ReadonlyMap<string, Verdict> {
  const rules = [...lines, ...always].map((line) => ({ verdict: verdictOf(line), matches: patternOf(line) }))
  return new Map(flows.map((flow) => [flow, rules.findLast((rule) => rule.matches.test(flow))?.verdict ?? 'connected']))
}

function verdictOf(line: string): Verdict {
  return line.startsWith('allow ') ? 'connected' : 'timeout'
}

/** The flows a line speaks of. */
export function patternOf(line: string): RegExp {
  const pattern = line.replace(/^(allow|deny) /, '')
  return new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
}

/** Flows that are not as expected: `x/a -> x/b:8080/TCP connected, not timeout`. */
export function differences(
  expected: ReadonlyMap<string, Verdict>,
  observed: ReadonlyMap<string, string>,
): readonly string[] {
  return [...expected].flatMap(([flow, verdict]) => {
    const seen = observed.get(flow) ?? 'not dialled'
    return seen === verdict ? [] : [`${flow} ${seen}, not ${verdict}`]
  })
}
