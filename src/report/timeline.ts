import type { Timing } from '../process/timings.ts'
import { formatSeconds } from '../process/wait.ts'

/** Beyond this many bars a chart is no longer read; the longest are kept. */
const mostBars = 40
const longestName = 80

/**
 * The phases as a Mermaid gantt chart: one bar each, its axis in minutes and seconds since the run began. Empty for no phases. The text is safe inside a fenced
 * block whatever the names hold.
 */
export function ganttChart(title: string, timings: readonly Timing[]): string {
  if (timings.length === 0) return ''
  const kept = new Set([...timings].sort((a, b) => b.durationMs - a.durationMs).slice(0, mostBars))
  const bars = timings
    .filter((timing) => kept.has(timing))
    .map((timing) => {
      const start = Math.round(timing.startMs)
      // A bar without width is not drawn.
      const end = start + Math.max(1, Math.round(timing.durationMs))
      const mark = timing.ok ? '' : 'crit, '
      return `  ${plainName(timing.name)} (${formatSeconds(timing.durationMs)}) :${mark}${start}, ${end}`
    })
  return ['gantt', `  title ${plainName(title)}`, '  dateFormat x', '  axisFormat %M:%S', ...bars].join('\n')
}

/** Colons, semicolons, hashes and commas have a meaning in Mermaid, line breaks and backticks one in Markdown. */
function plainName(name: string): string {
  return (
    name
      .slice(0, longestName)
      .replace(/[^\p{L}\p{N}._()/-]+/gu, ' ')
      .trim() || 'phase'
  )
}

/**
 * The phases for a terminal: start, duration, name and a bar on a common scale.
 * @param width Columns available.
 */
export function timelineTable(timings: readonly Timing[], width = 100): string {
  if (timings.length === 0) return ''
  const total = Math.max(1, ...timings.map((timing) => timing.startMs + timing.durationMs))
  const label = (timing: Timing): string => `${timing.parent === undefined ? '' : '  '}${timing.name}`
  const names = Math.min(36, Math.max(...timings.map((timing) => label(timing).length)))
  const bar = Math.max(10, width - names - 22)
  return timings
    .map((timing) => {
      const from = Math.floor((timing.startMs / total) * bar)
      const length = Math.max(1, Math.round((timing.durationMs / total) * bar))
      const drawn = `${' '.repeat(Math.min(from, bar - 1))}${(timing.ok ? '█' : '▒').repeat(Math.min(length, bar - Math.min(from, bar - 1)))}`
      const start = `${(timing.startMs / 1000).toFixed(1)} s`
      return `${start.padStart(8)} ${formatSeconds(timing.durationMs).padStart(10)}  ${label(timing).slice(0, names).padEnd(names)} ${drawn}${timing.ok ? '' : ' failed'}`
    })
    .join('\n')
}
