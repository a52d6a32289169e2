import type { Timing } from '../process/timings.ts'

/**
 * The one record of an assertion run. Every report (JUnit, JSON, job summary, annotations, terminal, HTML) is a view of it and adds nothing. It is
 * written as JSON; readers check `schema` first. New optional fields may appear within a version, nothing is renamed or removed.
 */
export const recordSchema = 'k8s-platform/assert-run/v1'

/** Three real verdicts and one that means "not looked at". Inconclusive: we could not see, which is neither good nor bad news. */
export type Verdict = 'pass' | 'fail' | 'inconclusive' | 'skipped'

export const verdicts: readonly Verdict[] = ['pass', 'fail', 'inconclusive', 'skipped']

/** `parallel`: reads, or works in a namespace of its own. `exclusive`: disturbs others, runs alone. `final`: looks back over the whole run. */
export type Lane = 'parallel' | 'exclusive' | 'final'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** What a person looks at next: a fact, and the command that shows more. */
export interface Evidence {
  readonly text: string
  /** One line for a terminal, such as `kubectl -n shop describe pod vote-7d9c`. Never run by us. */
  readonly command?: string
}

/** One look that did not (yet) show what was expected. Kept so that a flake stays visible after a green end. */
export interface Attempt {
  /** Milliseconds since the check began. */
  readonly atMs: number
  readonly seen: string
}

export interface CheckRecord {
  /** Stable across runs, such as `R4.stored`. */
  readonly id: string
  readonly title: string
  readonly suite: string
  readonly lane: Lane
  readonly needs: readonly string[]
  readonly verdict: Verdict
  /** One line: why this verdict. Also for a pass: what was seen. */
  readonly reason: string
  /** Milliseconds since the run began. */
  readonly startMs: number
  readonly durationMs: number
  /** How long until observed equalled expected, where the check waits for that. */
  readonly timeToConvergeMs?: number
  readonly observations: { readonly [key: string]: Json }
  readonly evidence: readonly Evidence[]
  readonly attempts: readonly Attempt[]
  /** It ran out of its time; such a check is never green. */
  readonly timedOut?: boolean
  /** What it looked through was lost: a stream, the API server, its own code. The run of such a check is never green. */
  readonly lost?: boolean
}

export interface NodeRecord {
  readonly name: string
  readonly version: string
  readonly ready: boolean
}

export interface RunRecord {
  readonly schema: typeof recordSchema
  /** The nonce of this run: label `k8s-platform.run` on everything it made. */
  readonly run: string
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly durationMs: number
  readonly target: string
  readonly namespace: string
  readonly serverVersion: string
  readonly nodes: readonly NodeRecord[]
  readonly suites: readonly string[]
  /** `fail` is always among them. */
  readonly failOn: readonly Verdict[]
  readonly allowSkip: readonly string[]
  /** The verdict of the run: `pass` only if something passed, nothing in `failOn` occurred and there are no problems. */
  readonly verdict: 'pass' | 'fail'
  /** What is wrong with the run as a whole: nothing ran, nothing passed, out of time, a stream lost, a suite asked for and skipped, cancelled. */
  readonly problems: readonly string[]
  readonly checks: readonly CheckRecord[]
  readonly timings: readonly Timing[]
}

export type Totals = Readonly<Record<Verdict, number>>

export function totalsOf(checks: readonly Pick<CheckRecord, 'verdict'>[]): Totals {
  const totals = { pass: 0, fail: 0, inconclusive: 0, skipped: 0 }
  for (const check of checks) totals[check.verdict] += 1
  return totals
}

/** `12 passed, 1 failed, 0 inconclusive, 2 skipped`. */
export function renderTotals(totals: Totals): string {
  return `${totals.pass} passed, ${totals.fail} failed, ${totals.inconclusive} inconclusive, ${totals.skipped} skipped`
}
