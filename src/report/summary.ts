import { formatSeconds } from '../process/wait.ts'
import { type CheckRecord, type RunRecord, renderTotals, totalsOf, type Verdict } from './record.ts'
import { ganttChart } from './timeline.ts'

/** GitHub drops a step's summary above 1 MiB whole. Room is left for what others write into the same one. */
const maxBytes = 900 * 1024
const maxReason = 500
const maxEvidence = 4_000

const icons: Readonly<Record<Verdict, string>> = { pass: '✅', fail: '❌', inconclusive: '❔', skipped: '⏭️' }

/** The job summary: verdict, what is red and why with the next command, all checks, the timeline. Everything that came from a cluster is escaped. */
export function renderSummary(record: RunRecord): string {
  const red = record.checks.filter((check) => check.verdict === 'fail' || check.verdict === 'inconclusive')
  const head = [
    `## ${record.verdict === 'pass' ? '✅' : '❌'} Assertions: ${renderTotals(totalsOf(record.checks))}`,
    '',
    `Target ${code(record.target)} in namespace ${code(record.namespace)}, Kubernetes ${code(record.serverVersion)}, ${record.nodes.length} nodes, ${formatSeconds(record.durationMs)}.`,
    ...record.problems.map((problem) => `\n> **${escapeMarkdown(problem)}**`),
    '',
  ]
  const details = red.map(renderRed)
  const table = renderTable(record.checks)
  const timeline = ganttChart('Assertions', record.timings)
  const tail =
    timeline === ''
      ? []
      : ['', '<details><summary>Timeline</summary>', '', '```mermaid', timeline, '```', '', '</details>', '']
  return joinWithin([head.join('\n'), table, ...details, tail.join('\n')])
}

function renderTable(checks: readonly CheckRecord[]): string {
  const rows = checks.map(
    (check) =>
      `| ${icons[check.verdict]} ${check.verdict} | ${code(check.id)} | ${escapeMarkdown(check.title)} | ${escapeMarkdown(cut(check.reason, maxReason))} | ${formatSeconds(check.durationMs)} |`,
  )
  return ['| Verdict | Check | What holds | Seen | Time |', '|---|---|---|---|---|', ...rows, ''].join('\n')
}

function renderRed(check: CheckRecord): string {
  const evidence = check.evidence.flatMap(({ text, command }) => [
    fenced(cut(text, maxEvidence)),
    ...(command === undefined ? [] : ['Next:', fenced(command, 'sh')]),
  ])
  return [
    `### ${icons[check.verdict]} ${escapeMarkdown(check.id)}: ${escapeMarkdown(check.title)}`,
    '',
    escapeMarkdown(cut(check.reason, maxReason)),
    '',
    ...evidence,
    '',
  ].join('\n')
}

/** Leaves out whole sections from the end rather than break one. */
function joinWithin(sections: readonly string[]): string {
  const kept: string[] = []
  let size = 0
  for (const section of sections) {
    const bytes = Buffer.byteLength(section) + 1
    if (size + bytes > maxBytes) continue
    size += bytes
    kept.push(section)
  }
  const left = sections.length - kept.length
  const note = left === 0 ? [] : [`${left} more sections are left out; the report's files have everything.`]
  return `${[...kept, ...note].join('\n')}\n`
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text
}

/** Control characters and those that turn the direction of writing around. */
function withoutControls(text: string): string {
  return text.toWellFormed().replace(/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, '\u{FFFD}')
}

/** Text as text: no markup, HTML, table cell, mention or link can come out of it. */
export function escapeMarkdown(text: string): string {
  return (
    text
      .toWellFormed()
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, '\u{FFFD}')
      .replace(/\s*[\n\t]\s*/g, ' ')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replace(/[\\`*_{}[\]()#+!|~$:-]/g, '\\$&')
      // A mention notifies people; a zero-width joiner keeps the look and takes the effect.
      .replace(/@(?=\w)/g, '@\u200d')
  )
}

/** Inline code for names and versions; anything odd is shown as plain text instead. */
function code(text: string): string {
  if (text === '') return '(none)'
  return /^[\w.:/-]+$/.test(text) ? `\`${text}\`` : escapeMarkdown(text)
}

function fenced(text: string, language = 'text'): string {
  const plain = withoutControls(text)
  const longest = Math.max(2, ...[...plain.matchAll(/`+/g)].map((run) => run[0].length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}${language}\n${plain}\n${fence}`
}
