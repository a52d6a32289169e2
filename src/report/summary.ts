import { formatSeconds } from '../process/wait.ts'
import { escapeMarkdown, plainText } from './plain-text.ts'
import { type CheckRecord, type RunRecord, renderTotals, totalsOf, type Verdict } from './record.ts'
import { isRed } from './root-causes.ts'
import { ganttChart } from './timeline.ts'

/** GitHub drops a step's summary above 1 MiB whole. Room is left for what others write into the same one. */
const maxBytes = 900 * 1024
/** What the table may take of it: the evidence of what is red matters more than the last green rows. */
const maxTableBytes = 500 * 1024
const maxProblems = 20
const maxReason = 500
const maxName = 200
const maxCommand = 1_000
const maxEvidence = 4_000
const maxFindings = 10

const icons: Readonly<Record<Verdict, string>> = { pass: '✅', fail: '❌', inconclusive: '❔', skipped: '⏭️' }

/** The job summary: verdict, what is red and why with the next command, all checks, the timeline. Everything that came from a cluster is escaped. */
export function renderSummary(record: RunRecord): string {
  const problems = record.problems
    .slice(0, maxProblems)
    .map((text) => `\n> **${escapeMarkdown(cut(text, maxReason))}**`)
  if (record.problems.length > maxProblems)
    problems.push(`\n> ${record.problems.length - maxProblems} more problems are left out here.`)
  const head = [
    `## ${record.verdict === 'pass' ? '✅' : '❌'} Assertions: ${renderTotals(totalsOf(record.checks))}`,
    '',
    `Target ${code(record.target)} in namespace ${code(record.namespace)}, Kubernetes ${code(record.serverVersion)}, ${record.nodes.length} nodes, ${formatSeconds(record.durationMs)}.`,
    ...problems,
    '',
    '',
  ].join('\n')
  const timeline = ganttChart('Assertions', record.timings)
  const tail =
    timeline === ''
      ? ''
      : ['', '<details><summary>Timeline</summary>', '', '```mermaid', timeline, '```', '', '</details>', ''].join('\n')
  const table = renderTable(record.checks)
  const room = maxBytes - Buffer.byteLength(head) - Buffer.byteLength(table) - Buffer.byteLength(tail)
  return `${head}${table}\n${renderDetails(record.checks.filter(isRed), room)}${tail}`
}

/** One row per check, those that are red first where not all of them fit. */
function renderTable(checks: readonly CheckRecord[]): string {
  const header = ['| Verdict | Check | What holds | Seen | Time |', '|---|---|---|---|---|', '']
  const rows = checks.map(
    (check) =>
      `| ${icons[check.verdict]} ${check.verdict} | ${code(check.id)} | ${escapeMarkdown(cut(check.title, maxName))} | ${escapeMarkdown(cut(check.reason, maxReason))} | ${formatSeconds(check.durationMs)} |`,
  )
  const places = [...checks.entries()]
  const ordered = [...places.filter(([, check]) => isRed(check)), ...places.filter(([, check]) => !isRed(check))]
  const kept = new Set<number>()
  let size = 0
  for (const [index] of ordered) {
    size += Buffer.byteLength(rows[index] ?? '') + 1
    if (size > maxTableBytes) break
    kept.add(index)
  }
  const left = checks.filter((_, index) => !kept.has(index))
  const note =
    left.length === 0
      ? ''
      : `\n${left.length} more checks are left out (${renderTotals(totalsOf(left))}); the report's files have everything.\n`
  return `${header.join('\n')}${rows
    .filter((_, index) => kept.has(index))
    .map((row) => `${row}\n`)
    .join('')}${note}`
}

/** Leaves out whole sections from the end rather than break one. */
function renderDetails(red: readonly CheckRecord[], room: number): string {
  const kept: string[] = []
  let left = room - 200
  for (const check of red) {
    const section = renderRed(check)
    left -= Buffer.byteLength(section)
    if (left < 0) break
    kept.push(section)
  }
  const missing = red.length - kept.length
  return `${kept.join('')}${missing === 0 ? '' : `The evidence of ${missing} more red checks is left out; the report's files have everything.\n`}`
}

function renderRed(check: CheckRecord): string {
  const evidence = check.evidence
    .slice(0, maxFindings)
    .flatMap(({ text, command }) => [
      fenced(cut(text, maxEvidence)),
      ...(command === undefined ? [] : ['Next:', fenced(cut(command, maxCommand), 'sh')]),
    ])
  return [
    `### ${icons[check.verdict]} ${escapeMarkdown(cut(check.id, maxName))}: ${escapeMarkdown(cut(check.title, maxName))}`,
    '',
    escapeMarkdown(cut(check.reason, maxReason)),
    '',
    ...evidence,
    '',
  ].join('\n')
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text
}

/** Inline code for names and versions; anything odd is shown as plain text instead. */
function code(full: string): string {
  const text = cut(full, maxName)
  if (text === '') return '(none)'
  return /^[\w.:/-]+$/.test(text) ? `\`${text}\`` : escapeMarkdown(text)
}

function fenced(text: string, language = 'text'): string {
  const plain = plainText(text)
  const longest = Math.max(2, ...[...plain.matchAll(/`+/g)].map((run) => run[0].length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}${language}\n${plain}\n${fence}`
}
