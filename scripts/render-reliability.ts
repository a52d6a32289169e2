import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type FaultResult, faultResultsFile, faultSections } from '../test/support/fault-results.ts'
import { repositoryRoot } from './repository.ts'

/** Where a nightly run writes; any other run writes beside its reports, as it has tried only a part. */
const committed = path.join(repositoryRoot, 'docs', 'reliability.md')

/** Writes the table of what was broken and what was seen. Returns the file, or undefined where no drill ran. */
export function renderReliability(options: { nightly: boolean; date: string }): string | undefined {
  if (!existsSync(faultResultsFile)) return undefined
  const results = readFileSync(faultResultsFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as FaultResult)
  const file = options.nightly ? committed : path.join(path.dirname(faultResultsFile), 'reliability.md')
  writeFileSync(file, reliabilityPage(results, options.date))
  return file
}

/** The page: one table per section, rows as they ran. A drill tried again shows its last result. */
export function reliabilityPage(results: readonly FaultResult[], date: string): string {
  const last = new Map(results.map((result) => [`${result.section}\n${result.fault}`, result]))
  const held = [...last.values()].filter((result) => result.held).length
  const lines = [
    '# Reliability: what was broken, and what was seen',
    '',
    `Written by \`npm run test:nightly\` on ${date}; do not edit. ${held} of ${last.size} drills held. What each drill must show was committed before it ran.`,
  ]
  for (const section of faultSections) {
    const rows = [...last.values()].filter((result) => result.section === section)
    if (rows.length === 0) continue
    lines.push(
      '',
      `## ${section[0]?.toUpperCase()}${section.slice(1)}`,
      '',
      '| broken | must show | seen | held |',
      '|---|---|---|---|',
    )
    lines.push(
      ...rows.map(
        (row) => `| ${[row.fault, row.expected, row.seen].map(cell).join(' | ')} | ${row.held ? 'yes' : '**no**'} |`,
      ),
    )
  }
  return `${lines.join('\n')}\n`
}

/** Text that cannot leave its cell; reasons carry whatever a cluster printed. */
function cell(text: string): string {
  return text
    .replace(/[\r\n]+/g, ' ')
    .replace(/[\\`*_|<>[\]#]/g, (found) => `\\${found}`)
    .trim()
}
