import { appendFileSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { repository } from './test-host.ts'

/** Order of the sections in docs/reliability.md. */
export const faultSections = [
  'assertions',
  'creation',
  'life cycle',
  'votes',
  'network policy',
  'deployments',
  'input',
] as const
export type FaultSection = (typeof faultSections)[number]

/** What one drill was to show and what it showed: a row of docs/reliability.md. */
export interface FaultResult {
  readonly section: FaultSection
  /** What was broken, as a person would say it. */
  readonly fault: string
  /** Stated before the run: which checks go red, which error is told, what must be left. */
  readonly expected: string
  /** What the run showed, in the same words. */
  readonly seen: string
  readonly held: boolean
}

/** JSON lines, one {@link FaultResult} each; `scripts/test.ts` empties it with the rest of `test-results/` and renders it at the end. */
export const faultResultsFile = path.join(repository, 'test-results', 'faults.jsonl')

/** Call it before the expectation that may throw, so that a drill that failed is in the table too. */
export function recordFault(result: FaultResult): void {
  mkdirSync(path.dirname(faultResultsFile), { recursive: true })
  appendFileSync(faultResultsFile, `${JSON.stringify(result)}\n`)
}
