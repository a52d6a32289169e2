import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type FaultResult, faultResultsFile, faultSections, type RecordedFault } from '../test/support/fault-results.ts'
import type { FaultRow } from '../test/support/prove-fault.ts'
import { repositoryRoot } from './repository.ts'

/** Where a nightly run writes that tried everything; any other run writes beside its reports. */
const committed = path.join(repositoryRoot, 'docs', 'reliability.md')

/**
 * Writes the table of what was broken and what was seen: into docs/ where a nightly run has all of it, of whatever parts it was made. Returns the file, or undefined
 * where no drill ran.
 */
export async function renderReliability(options: { nightly: boolean; whole: boolean }): Promise<string | undefined> {
  if (!existsSync(faultResultsFile)) return undefined
  const results = readFileSync(faultResultsFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RecordedFault)
  // No other run needs what the tables import.
  const due = options.nightly ? (await import('../test/support/committed-drills.ts')).committedDrills() : []
  const ran = new Set(results.map(keyOf))
  const complete = options.nightly && (options.whole || due.every((row) => ran.has(keyOf(row))))
  const file = complete ? committed : path.join(path.dirname(faultResultsFile), 'reliability.md')
  writeFileSync(file, reliabilityPage(results, due))
  return file
}

/** The page: one table per section, rows as they ran, and after them those of `due` that did not run. */
export function reliabilityPage(results: readonly RecordedFault[], due: readonly FaultRow[] = []): string {
  const ran = Map.groupBy(results, keyOf)
  const missing = due.filter((row) => !ran.has(keyOf(row)))
  const rows = [...ran.values()].map((tries) => verdictOf(ofLastRun(tries)))
  const held = rows.filter((row) => row.held).length
  const absent = missing.length === 0 ? '' : ` ${missing.length} did not run.`
  const dates = [...new Set(results.map(({ date }) => date))].sort().join(' and ')
  const lines = [
    '# Reliability: what was broken, and what was seen',
    '',
    `Written by \`npm run test:nightly\` on ${dates}; do not edit. ${held} of ${rows.length + missing.length} drills held.${absent} What each drill must show was committed before it ran.`,
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

/** A part that is run again replaces what it showed before, and only that. */
function ofLastRun(tries: readonly RecordedFault[]): RecordedFault[] {
  return tries.filter(({ run }) => run === tries.at(-1)?.run)
}

/** One row of a drill's tries in one run, of which there is at least one: it held only where every try did. */
function verdictOf(tries: readonly FaultResult[]): FaultResult {
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
