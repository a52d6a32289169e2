/** Units whose bounds hold on the machine of README's table alone. */
const timeUnits = new Set(['s', 'ms'])

/** One figure of a benchmark, and the bound it must keep where it has one. */
export interface BenchRow {
  /** What was measured, as a person would say it. */
  readonly what: string
  readonly value: number
  /** `s`, `ms`, `MB`, or a word for a count. */
  readonly unit: string
  /** The most that `value` may be. A row without one only tells. */
  readonly limit?: number
  /** Whether `value` kept its limit; there exactly when the limit is. */
  readonly held?: boolean
}

export interface BenchResult {
  readonly name: string
  readonly rows: readonly BenchRow[]
}

/** A figure that must not exceed `limit`. What is not a number was not measured, and does not hold. */
export function boundedRow(what: string, value: number, unit: string, limit: number): BenchRow {
  return { what, value, unit, limit, held: value <= limit }
}

/**
 * Figures that missed a bound which holds on any machine: ratios measured in one run, sizes, counts. Seconds are told and fail nothing, as machines differ.
 */
export function missedAnywhere(result: BenchResult): readonly BenchRow[] {
  return result.rows.filter((row) => row.held === false && !timeUnits.has(row.unit))
}
