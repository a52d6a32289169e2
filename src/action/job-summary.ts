import { appendFile, stat } from 'node:fs/promises'
import type { Timing } from '../process/timings.ts'
import { ganttChart } from '../report/timeline.ts'
import { markdownText } from './safe-text.ts'

/** GitHub refuses a step's summary above 1 MiB as a whole; the rest of the room is for reports that the body adds. */
const mostBytes = 1024 * 1024 - 4096

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

/** The step's part of the job summary. Sections that would make it too big are left out from the end, and it says so. */
export function renderSummary(facts: SummaryFacts): string {
  const why = facts.failure === undefined ? '' : `\n> ${markdownText(shorten(facts.failure))}\n`
  const head = `## ${facts.ok ? '✅' : '❌'} ${markdownText(facts.title)}\n${why}`
  const table =
    facts.results.length === 0
      ? ''
      : [
          '| result | value |',
          '|---|---|',
          ...facts.results.map(([name, value]) => `| ${markdownText(name)} | ${markdownText(shorten(value))} |`),
          '',
        ].join('\n')
  const chart = ganttChart(facts.title, facts.timings)
  const timeline =
    chart === '' ? '' : `<details><summary>Timeline</summary>\n\n\`\`\`mermaid\n${chart}\n\`\`\`\n\n</details>\n`
  const parts = [head, table, timeline].filter((part) => part !== '')
  let left = mostBytes - Buffer.byteLength(parts.join('\n'))
  const sections: string[] = []
  for (const section of facts.sections) {
    left -= Buffer.byteLength(section) + 1
    if (left < 0) {
      sections.push('*Left out here: a section that would make this summary larger than GitHub accepts.*\n')
      break
    }
    sections.push(section)
  }
  return [parts[0] ?? '', ...parts.slice(1, parts.length - (timeline === '' ? 0 : 1)), ...sections, timeline].join('\n')
}

/**
 * Appends to GITHUB_STEP_SUMMARY where there is one and it has room; it is a nicety and fails nothing. Resolves with false when it was not written.
 */
export async function writeSummary(file: string | undefined, text: string): Promise<boolean> {
  if (!file) return false
  const present = await stat(file).then(
    (found) => found.size,
    () => 0,
  )
  if (present + Buffer.byteLength(text) > 1024 * 1024) return false
  return appendFile(file, `${text}\n`).then(
    () => true,
    () => false,
  )
}

function shorten(value: string): string {
  return value.length <= 500 ? value : `${value.slice(0, 500)} …`
}
