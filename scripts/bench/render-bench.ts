import type { BenchResult, BenchRow } from './result.ts'

/** One block per benchmark; a bound is shown with whether it was kept. */
export function renderBench(results: readonly BenchResult[]): string {
  return results.map((result) => [`\n${result.name}`, ...result.rows.map(renderRow)].join('\n')).join('\n')
}

function renderRow(row: BenchRow): string {
  const value = Number.isInteger(row.value) ? String(row.value) : row.value.toFixed(row.value < 10 ? 2 : 1)
  const bound = row.limit === undefined ? '' : `  at most ${row.limit}: ${row.held === true ? 'held' : 'MISSED'}`
  return `  ${`${value} ${row.unit}`.padStart(14)}  ${row.what}${bound}`
}
