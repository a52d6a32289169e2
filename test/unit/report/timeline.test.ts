import { expect, test } from 'vitest'
import { ganttChart, timelineTable } from '../../../src/report/timeline.ts'

const timings = [
  { name: 'preflight', startMs: 0, durationMs: 500, ok: true },
  { name: 'kind create', startMs: 500, durationMs: 30_000, ok: true },
  { name: 'images', startMs: 500, durationMs: 10_000, ok: false, parent: 'kind create' },
]

test('no phases, no chart', () => {
  expect(ganttChart('x', [])).toBe('')
  expect(timelineTable([])).toBe('')
})

test('the table fits the terminal and marks what failed', () => {
  expect(timelineTable(timings, 72)).toMatchInlineSnapshot(`
    "   0.0 s      0.5 s  preflight   █
       0.5 s       30 s  kind create ██████████████████████████████████████
       0.5 s       10 s    images    ▒▒▒▒▒▒▒▒▒▒▒▒▒ failed"
  `)
  for (const width of [40, 80, 200]) {
    for (const line of timelineTable(timings, width).split('\n'))
      expect(line.length).toBeLessThanOrEqual(Math.max(width, 60) + 8)
  }
})

test('a chart of many phases keeps the longest, in their order', () => {
  const many = Array.from({ length: 100 }, (_, index) => ({
    name: `p${index}`,
    startMs: index,
    durationMs: index,
    ok: true,
  }))
  const bars = ganttChart('many', many).split('\n').slice(4)
  expect(bars).toHaveLength(40)
  expect(bars[0]).toContain('p60 ')
  expect(bars.at(-1)).toContain('p99 ')
})
