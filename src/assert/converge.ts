import { pause } from '../process/wait.ts'
import type { CheckContext } from './check.ts'

export interface ConvergeOptions {
  /** How long observed may differ from expected, milliseconds. The check's own deadline also holds. */
  readonly timeoutMs: number
  /** Looks in a row that must show what is expected, the first included. Default 1. */
  readonly confirmations?: number
  /** Pause between looks. Default 500 ms. */
  readonly intervalMs?: number
}

/** One look: what was seen, and what is wrong with it; no differences means observed equals expected. */
export interface Look<T> {
  readonly value: T
  readonly differences: readonly string[]
}

export interface Converged<T> extends Look<T> {
  readonly matched: boolean
  /** Milliseconds until the first of the confirming looks, or until giving up. */
  readonly timeToConvergeMs: number
  readonly looks: number
}

/**
 * Looks again only while observed differs from expected, keeps every different look as an attempt, and confirms a match. A look that throws ends it:
 * what cannot be seen is not retried here (transport is retried where it belongs, in probe-batch.ts).
 */
export async function converge<T>(
  context: CheckContext,
  look: () => Promise<Look<T>>,
  options: ConvergeOptions,
): Promise<Converged<T>> {
  const { clock, signal } = context.host
  const started = clock.monotonic()
  const intervalMs = options.intervalMs ?? 500
  // Half a second before the check's own deadline: a verdict with what was seen says more than a time-out.
  const limitMs = Math.min(options.timeoutMs, Math.max(0, context.leftMs() - 500))
  let confirmed = 0
  let matchedAt = 0
  for (let looks = 1; ; looks++) {
    const { value, differences } = await look()
    const elapsed = clock.monotonic() - started
    if (differences.length === 0) {
      if (confirmed === 0) matchedAt = elapsed
      confirmed += 1
      if (confirmed >= (options.confirmations ?? 1)) {
        return { value, differences, matched: true, timeToConvergeMs: looks === 1 ? elapsed : matchedAt, looks }
      }
    } else {
      confirmed = 0
      context.attempt(differences.slice(0, 3).join('; '))
      if (elapsed >= limitMs || signal.aborted) {
        return { value, differences, matched: false, timeToConvergeMs: elapsed, looks }
      }
    }
    await pause(Math.min(intervalMs, Math.max(1, limitMs - elapsed)), signal)
    if (signal.aborted) return { value, differences, matched: false, timeToConvergeMs: elapsed, looks }
  }
}

/** `a; b; c and 4 more`: the start of a long list of findings, for a reason of one line. */
export function summarize(findings: readonly string[], most = 3): string {
  const shown = findings.slice(0, most).join('; ')
  return findings.length > most ? `${shown}; and ${findings.length - most} more` : shown
}
