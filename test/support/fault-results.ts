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

/** A line of the file. */
export interface RecordedFault extends FaultResult {
  /** Of the run of `scripts/test.ts`; empty where a test was run by hand. */
  readonly run: string
  /** YYYY-MM-DD, UTC. */
  readonly date: string
  /** What was tested, as `git describe --always --dirty` names it; empty where a test was run by hand. */
  readonly commit: string
}

/** JSON lines, one {@link RecordedFault} each; a whole run of `scripts/test.ts` empties it with the rest of `test-results/`, and each renders it at the end. */
export const faultResultsFile = path.join(repository, 'test-results', 'faults.jsonl')

/** Call it before the expectation that may throw, so that a drill that failed is in the table too. */
export function recordFault(result: FaultResult): void {
  mkdirSync(path.dirname(faultResultsFile), { recursive: true })
  const recorded: RecordedFault = {
    ...result,
    run: process.env['K8S_PLATFORM_TEST_RUN'] ?? '',
    date: new Date().toISOString().slice(0, 10),
    commit: process.env['K8S_PLATFORM_TEST_COMMIT'] ?? '',
  }
  appendFileSync(faultResultsFile, `${JSON.stringify(recorded)}\n`)
}
