import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { renderSummary, writeSummary } from '../../../src/action/job-summary.ts'
import { cutMarkdown } from '../../../src/report/cut-markdown.ts'

const timings = [
  { name: 'tools', startMs: 0, durationMs: 1200, ok: true },
  { name: 'kind create: try 2', startMs: 1200, durationMs: 30_000, ok: false },
]

test('shows result, sections and the timeline', () => {
  const text = renderSummary({
    title: 'Set up',
    ok: false,
    failure: 'node `w2` not Ready\n## forged',
    results: [['registry', '127.0.0.1:5001']],
    sections: ['### Section\n'],
    timings,
  })
  expect(text).toMatchInlineSnapshot(`
    "## ❌ Set up

    > node \\\`w2\\\` not Ready \\#\\# forged

    | result | value |
    |---|---|
    | registry | 127.0.0.1\\:5001 |

    ### Section

    <details><summary>Timeline</summary>

    \`\`\`mermaid
    gantt
      title Set up
      dateFormat x
      axisFormat %M:%S
      tools (1.2 s) :0, 1200
      kind create try 2 (30 s) :crit, 1200, 31200
    \`\`\`

    </details>
    "
  `)
})

test('stays below 1 MiB and says what it left out', () => {
  const sections = Array.from({ length: 30 }, (_, index) => `${index} ${'é'.repeat(50_000)}\n`)
  const results = Array.from({ length: 20 }, (_, index) => [`r${index}`, 'x'.repeat(100_000)] as const)
  const text = renderSummary({ title: 'Big', ok: true, results, sections, timings })
  expect(Buffer.byteLength(text)).toBeLessThan(1024 * 1024)
  expect(text).toContain('left out here')
  expect(text).toContain('```mermaid')
})

test('cuts a section at the end of a row, with everything closed', () => {
  const rows = Array.from({ length: 40_000 }, (_, index) => `| ${index} | ${'é'.repeat(40)} |`)
  const section = ['| a | b |', '|---|---|', ...rows, '', '```text', 'x'.repeat(10), '```', ''].join('\n')
  const text = renderSummary({ title: 'Big', ok: false, results: [], sections: [section, 'next\n'], timings })
  expect(Buffer.byteLength(text)).toBeLessThan(1024 * 1024)
  expect(text).toMatch(/\n\n\*\d+ more lines are left out here/)
  for (const row of text.split('\n').filter((line) => line.startsWith('| '))) expect(row.endsWith(' |')).toBe(true)
  expect(text).toContain('```mermaid')
})

test('leaves no fence and no details open where it cuts', () => {
  const body = Array.from({ length: 100 }, (_, index) => `line ${index}`).join('\n')
  for (const [open, close] of [
    ['````text', '````'],
    ['~~~', '~~~'],
    ['<details><summary>x</summary>', '</details>'],
  ] as const) {
    const text = `before\n${open}\n${body}\n${close}\nafter`
    for (let size = 200; size < Buffer.byteLength(text); size += 50) {
      const kept = cutMarkdown(text, size)
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(size)
      expect(kept.includes(open)).toBe(kept.split(open).at(-1)?.includes(close) ?? false)
    }
    expect(cutMarkdown(text, 1_000_000)).toBe(text)
  }
})

test('fits into what room the file has left', async () => {
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'summary-')), 'summary.md')
  await writeFile(file, 'x'.repeat(1024 * 1024 - 5_000))
  expect(await writeSummary(file, 'line\n'.repeat(10_000))).toBe(true)
  const text = await readFile(file, 'utf8')
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1024 * 1024)
  expect(text).toMatch(/more lines are left out here/)
})

test('is not written where it would make the file too big, nor where there is none', async () => {
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'summary-')), 'summary.md')
  await writeFile(file, 'x'.repeat(1024 * 1024 - 10))
  expect(await writeSummary(file, 'more than ten bytes')).toBe(false)
  expect((await readFile(file)).length).toBe(1024 * 1024 - 10)
  expect(await writeSummary(undefined, 'text')).toBe(false)
  await writeFile(file, '')
  expect(await writeSummary(file, 'text')).toBe(true)
  expect(await readFile(file, 'utf8')).toBe('text\n')
})
