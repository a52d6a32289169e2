import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type FaultResult, faultResultsFile, faultSections, type RecordedFault } from '../test/support/fault-results.ts'
import type { FaultRow } from '../test/support/prove-fault.ts'
import { repositoryRoot } from './repository.ts'

/** Where a nightly run writes that tried everything; any other run writes beside its reports. */
const committed = path.join(repositoryRoot, 'docs', 'reliability.md')

/** What one step of `scripts/test.ts` counted. */
export interface StepResult {
  /** The step, with the files to which it was narrowed. */
  readonly name: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly seconds: number
  /** YYYY-MM-DD, UTC. */
  readonly date: string
  readonly commit: string
}

const stepsFile = path.join(path.dirname(faultResultsFile), 'steps.jsonl')

export function recordStep(step: StepResult): void {
  appendFileSync(stepsFile, `${JSON.stringify(step)}\n`)
}

/**
 * Writes the table of what was broken and what was seen: into docs/ where a nightly run has all of it, of whatever parts it was made. Returns the file, or undefined
 * where no drill ran.
 */
export async function renderReliability(options: { nightly: boolean; whole: boolean }): Promise<string | undefined> {
  if (!existsSync(faultResultsFile)) return undefined
  const results = readLines<RecordedFault>(faultResultsFile)
  // No other run needs what the tables import.
  const due = options.nightly ? (await import('../test/support/committed-drills.ts')).committedDrills() : []
  const ran = new Set(results.map(keyOf))
  const complete = options.nightly && (options.whole || due.every((row) => ran.has(keyOf(row))))
  const file = complete ? committed : path.join(path.dirname(faultResultsFile), 'reliability.md')
  writeFileSync(file, reliabilityPage(results, readLines<StepResult>(stepsFile), due))
  return file
}

function readLines<T>(file: string): T[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}

/** The page: what ran, one table per section with rows as they ran, and after them those of `due` that did not run. */
export function reliabilityPage(
  results: readonly RecordedFault[],
  steps: readonly StepResult[] = [],
  due: readonly FaultRow[] = [],
): string {
  const ran = Map.groupBy(results, keyOf)
  const missing = due.filter((row) => !ran.has(keyOf(row)))
  const rows = [...ran.values()].map(verdictOf)
  const held = rows.filter((row) => row.held).length
  const absent = missing.length === 0 ? '' : ` ${missing.length} did not run.`
  const lines = [
    '# Reliability: what was broken, and what was seen',
    '',
    `Written by \`npm run test:nightly\`; do not edit. ${held} of ${rows.length + missing.length} drills held.${absent} What each drill must show was committed before it ran.`,
    'A part that was red and ran again tells both.',
    ...stepTable(steps),
  ]
  for (const section of faultSections) {
    const cells = [
      ...rows
        .filter((row) => row.section === section)
        .map((row) => [row.fault, row.expected, row.seen, row.held ? 'yes' : '**no**']),
      ...missing
        .filter((row) => row.section === section)
        .map((row) => [row.fault, row.expected, 'nothing', '**did not run**']),
    ]
    if (cells.length === 0) continue
    lines.push(
      '',
      `## ${section[0]?.toUpperCase()}${section.slice(1)}`,
      '',
      '| broken | must show | seen | held |',
      '|---|---|---|---|',
      ...cells.map(
        ([fault = '', expected = '', seen = '', verdict = '']) =>
          `| ${[fault, expected, seen].map(cell).join(' | ')} | ${verdict} |`,
      ),
    )
  }
  return `${lines.join('\n')}\n`
}

function keyOf({ section, fault }: FaultRow): string {
  return `${section}\n${fault}`
}

/** What ran, the last time that it did: a file that crashed before its first drill has no row below, and is red here. */
function stepTable(steps: readonly StepResult[]): string[] {
  if (steps.length === 0) return []
  const last = new Map(steps.map((step) => [step.name, step]))
  return [
    '',
    '| step | at | on | passed | failed | skipped | seconds |',
    '|---|---|---|---|---|---|---|',
    ...[...last.values()].map(
      ({ name, commit, date, passed, failed, skipped, seconds }) =>
        `| ${[name, commit, date, passed, failed, skipped, seconds.toFixed(0)].map((text) => cell(String(text))).join(' | ')} |`,
    ),
  ]
}

/** One row of a drill's tries, of which there is at least one: in the last run it held only where every try did; what an earlier run showed stays in sight. */
function verdictOf(tries: readonly RecordedFault[]): FaultResult {
  const run = tries.at(-1)?.run
  const verdict = verdictOfRun(tries.filter((one) => one.run === run))
  const before = tries.filter((one) => one.run !== run && !one.held)
  if (before.length === 0) return verdict
  const shown = [...new Set(before.map(({ commit, seen }) => `at ${commit}: ${seen}`))].join('; ')
  return { ...verdict, seen: `${verdict.seen}; red before, ${shown}` }
}

function verdictOfRun(tries: readonly FaultResult[]): FaultResult {
  const failed = tries.filter(({ held }) => !held)
  const last = (failed.length > 0 ? failed : tries).at(-1)
  if (last === undefined) throw new Error('a drill without a try')
  const others =
    failed.length > 0 && failed.length < tries.length
      ? `; held in ${tries.length - failed.length} of ${tries.length} tries`
      : ''
  return {
    ...last,
    seen: [...new Set((failed.length > 0 ? failed : [last]).map(({ seen }) => seen))].join('; ') + others,
  }
}

/** Text that cannot leave its cell; reasons carry whatever a cluster printed. */
function cell(text: string): string {
  return text
    .replace(/[\r\n]+/g, ' ')
    .replace(/[\\`*_|<>[\]#]/g, (found) => `\\${found}`)
    .trim()
}
