import type { Host } from '../process/host.ts'
import type { Evidence, Json, Lane, Verdict } from '../report/record.ts'

/** What a check says when it is done. */
export interface Outcome {
  readonly verdict: Verdict
  /** One line. For a pass: what was seen. For anything else: what was seen instead of what, and where. */
  readonly reason: string
  readonly observations?: { readonly [key: string]: Json }
  readonly timeToConvergeMs?: number
  readonly evidence?: readonly Evidence[]
  /** Of an inconclusive one: what it looked through was lost, so that no `fail-on` may tolerate it. */
  readonly lost?: boolean
}

/** Given to a running check. */
export interface CheckContext {
  /** The run's host with this check's own signal: aborted when its deadline passes or the run is cancelled. */
  readonly host: Host
  /** Milliseconds left until this check's deadline. */
  readonly leftMs: () => number
  /** What it is waiting for right now: shown, and the reason if the deadline passes. */
  readonly waiting: (forWhat: string) => void
  /** Keeps one look that did not show what was expected. Looks that say the same as the last one are kept once. */
  readonly attempt: (seen: string) => void
}

/** An assertion is a value; a suite is a function that returns some. */
export interface Check {
  /** Stable across runs and versions: `<rule>.<part>`, such as `R4.stored`. */
  readonly id: string
  /** What holds when it is green, as a statement. */
  readonly title: string
  readonly suite: string
  readonly lane: Lane
  /** Ids of checks that must be green first: otherwise this one is skipped and says so. */
  readonly needs: readonly string[]
  /** Ids of checks that belong to the same proof: selecting this check selects them, but their verdict does not gate it. */
  readonly alongside?: readonly string[]
  /** Checks with the same key never run at the same time. */
  readonly serial?: string
  readonly timeoutMs: number
  readonly run: (context: CheckContext) => Promise<Outcome>
}

export const pass = (reason: string, more: Omit<Outcome, 'verdict' | 'reason'> = {}): Outcome => ({
  ...more,
  verdict: 'pass',
  reason,
})

export const fail = (reason: string, more: Omit<Outcome, 'verdict' | 'reason'> = {}): Outcome => ({
  ...more,
  verdict: 'fail',
  reason,
})

export const inconclusive = (reason: string, more: Omit<Outcome, 'verdict' | 'reason'> = {}): Outcome => ({
  ...more,
  verdict: 'inconclusive',
  reason,
})

export const skipped = (reason: string, more: Omit<Outcome, 'verdict' | 'reason'> = {}): Outcome => ({
  ...more,
  verdict: 'skipped',
  reason,
})
