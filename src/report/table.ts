import { formatSeconds } from '../process/wait.ts'
import { plainText } from './plain-text.ts'
import { type RunRecord, renderTotals, totalsOf, type Verdict } from './record.ts'

export interface TableOptions {
  /** Columns of the terminal. Default 100. */
  readonly width?: number
  /** ANSI colours; false for files and CI. */
  readonly color?: boolean
}

const marks: Readonly<Record<Verdict, string>> = { pass: '✔', fail: '✘', inconclusive: '?', skipped: '-' }
const colors: Readonly<Record<Verdict, number>> = { pass: 32, fail: 31, inconclusive: 33, skipped: 90 }

/** The checks for a terminal: verdict, id, time, reason; what is red again below with the next command. */
export function renderTableText(record: RunRecord, options: TableOptions = {}): string {
  const width = Math.max(60, options.width ?? 100)
  const paint = (text: string, code: number): string =>
    options.color === true ? `\u001b[${code}m${text}\u001b[0m` : text
  const ids = Math.max(5, ...record.checks.map((check) => check.id.length))
  const lines: string[] = []
  let suite = ''
  for (const check of record.checks) {
    if (check.suite !== suite) {
      suite = check.suite
      lines.push(paint(plain(suite), 1))
    }
    const time = formatSeconds(check.durationMs).padStart(8)
    const room = Math.max(20, width - ids - 14)
    lines.push(
      `  ${paint(marks[check.verdict], colors[check.verdict])} ${plain(check.id).padEnd(ids)} ${time}  ${cut(plain(check.reason), room)}`,
    )
  }
  const red = record.checks.filter((check) => check.verdict === 'fail' || check.verdict === 'inconclusive')
  for (const check of red) {
    lines.push(
      '',
      paint(`${marks[check.verdict]} ${plain(check.id)}: ${plain(check.title)}`, colors[check.verdict]),
      `  ${plain(check.reason)}`,
    )
    for (const { command } of check.evidence) if (command !== undefined) lines.push(`  $ ${plain(command)}`)
  }
  lines.push('', ...record.problems.map((problem) => paint(`✘ ${plain(problem)}`, 31)))
  const verdict = record.verdict === 'pass' ? paint('PASS', 32) : paint('FAIL', 31)
  lines.push(`${verdict}  ${renderTotals(totalsOf(record.checks))} in ${formatSeconds(record.durationMs)}`)
  return lines.join('\n')
}

/** A cluster's text must not move the cursor or colour the screen. */
function plain(text: string): string {
  return plainText(text.replace(/\s+/g, ' '))
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text
}
