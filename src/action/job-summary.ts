import { appendFile, stat } from 'node:fs/promises'
import type { Timing } from '../process/timings.ts'
import { cutMarkdown } from '../report/cut-markdown.ts'
import { escapeMarkdown } from '../report/plain-text.ts'
import { ganttChart } from '../report/timeline.ts'

/** GitHub refuses a step's summary above 1 MiB as a whole; the rest of the room is for reports that the body adds. */
const mostBytes = 1024 * 1024 - 4096

/** Below this not even a heading and a notice fit. */
const leastBytes = 1024

export interface SummaryFacts {
  readonly title: string
  readonly ok: boolean
  /** Why it failed, as plain text. */
  readonly failure?: string
  /** Rows of the result table: name and value, as plain text. */
  readonly results: readonly (readonly [string, string])[]
  /** Markdown that a report has already made safe. */
  readonly sections: readonly string[]
  readonly timings: readonly Timing[]
}

/** The step's part of the job summary. What would make it too big is cut off the last sections at the end of a row, and it says so. */
export function renderSummary(facts: SummaryFacts): string {
  const why = facts.failure === undefined ? '' : `\n> ${escapeMarkdown(shorten(facts.failure))}\n`
  const head = `## ${facts.ok ? '✅' : '❌'} ${escapeMarkdown(facts.title)}\n${why}`
  const table =
    facts.results.length === 0
      ? ''
      : [
          '| result | value |',
          '|---|---|',
          ...facts.results.map(([name, value]) => `| ${escapeMarkdown(name)} | ${escapeMarkdown(shorten(value))} |`),
          '',
        ].join('\n')
  const chart = ganttChart(facts.title, facts.timings)
  const timeline =
    chart === '' ? '' : `<details><summary>Timeline</summary>\n\n\`\`\`mermaid\n${chart}\n\`\`\`\n\n</details>\n`
  let left = mostBytes - Buffer.byteLength([head, table, timeline].join('\n'))
  const sections: string[] = []
  for (const [index, section] of facts.sections.entries()) {
    if (left < leastBytes) {
      sections.push(`*${facts.sections.length - index} more sections are left out here: GitHub accepts 1 MiB.*\n`)
      break
    }
    const kept = cutMarkdown(section, left)
    left -= Buffer.byteLength(kept) + 1
    sections.push(kept)
  }
  return [head, table, ...sections, timeline].filter((part) => part !== '').join('\n')
}

/**
 * Appends to GITHUB_STEP_SUMMARY where there is one, as much as it has room for; it is a nicety and fails nothing. Resolves with false when it was not written.
 */
export async function writeSummary(file: string | undefined, text: string): Promise<boolean> {
  if (!file) return false
  const present = await stat(file).then(
    (found) => found.size,
    () => 0,
  )
  const room = 1024 * 1024 - present - 1
  if (room < leastBytes) return false
  return appendFile(file, `${cutMarkdown(text, room)}\n`).then(
    () => true,
    () => false,
  )
}

function shorten(value: string): string {
  return value.length <= 500 ? value : `${value.slice(0, 500)} …`
}
