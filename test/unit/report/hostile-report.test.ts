import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { renderSummary as renderJobSummary } from '../../../src/action/job-summary.ts'
import { renderHtml } from '../../../src/report/html.ts'
import { renderJunit } from '../../../src/report/junit.ts'
import { escapeMarkdown } from '../../../src/report/plain-text.ts'
import type { RunRecord, Verdict } from '../../../src/report/record.ts'
import { renderSummary } from '../../../src/report/summary.ts'
import { renderTableText } from '../../../src/report/table.ts'
import { ganttChart } from '../../../src/report/timeline.ts'
import { cases, hostileText, patience } from '../../support/hostile-text.ts'
import { checkRecord, runRecord } from './sample-record.ts'

/** A run in which everything that a cluster or a user names may be anything. */
const hostileRecord: fc.Arbitrary<RunRecord> = fc
  .array(hostileText, { minLength: 12, maxLength: 12 })
  .chain((texts) =>
    fc.constantFrom<Verdict>('pass', 'fail', 'inconclusive', 'skipped').map((verdict) => [texts, verdict] as const),
  )
  .map(([[a = '', b = '', c = '', d = '', e = '', f = '', g = '', h = '', i = '', j = '', k = '', l = ''], verdict]) =>
    runRecord(
      [
        checkRecord({
          id: a,
          title: b,
          suite: c,
          verdict,
          reason: d,
          needs: [e],
          evidence: [{ text: f, command: g }],
          attempts: [{ atMs: 1, seen: h }],
          observations: { [i]: j },
        }),
      ],
      {
        target: k,
        namespace: l,
        serverVersion: a,
        problems: [b],
        timings: [{ name: c, startMs: 0, durationMs: 1, ok: true }],
      },
    ),
  )

/** Tags of HTML and XML that a record with nothing odd in it gives, as names and counts. */
function tagsOf(text: string): string[] {
  return [...text.matchAll(/<([!/?]?[a-z-]+)/gi)].map((tag) => (tag[1] ?? '').toLowerCase())
}

const fences = /^(`{3,})[^\n]*\n[\s\S]*?\n\1$/gm
/** Names and versions stand in these; what is in one is shown as it is. */
const codeSpans = /`[\w.:/-]+`/g

describe('a record full of markup', () => {
  test(
    'gives HTML and XML of the elements of a plain one',
    () => {
      const plain = (verdict: Verdict): RunRecord =>
        runRecord(
          [
            checkRecord({
              verdict,
              needs: ['x'],
              evidence: [{ text: 'x', command: 'x' }],
              attempts: [{ atMs: 1, seen: 'x' }],
              observations: { x: 'x' },
            }),
          ],
          { problems: ['x'] },
        )
      fc.assert(
        fc.property(hostileRecord, (record) => {
          const like = plain(record.checks[0]?.verdict ?? 'pass')
          const html = renderHtml(record)
          expect(tagsOf(html)).toEqual(tagsOf(renderHtml(like)))
          expect(html).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u202a-\u202e\u2066-\u2069]/)
          const xml = renderJunit({ ...record, verdict: like.verdict })
          expect(tagsOf(xml)).toEqual(tagsOf(renderJunit(like)))
          expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/)
        }),
        cases(1_000),
      )
    },
    patience,
  )

  test(
    'gives a summary of one row a check, without HTML, fence or link of its own',
    () => {
      fc.assert(
        fc.property(hostileRecord, (record) => {
          const outside = renderSummary(record).replace(fences, '').replace(codeSpans, 'x')
          const lines = outside.split('\n')
          expect(lines.filter((line) => line.startsWith('|'))).toHaveLength(3)
          expect(lines.filter((line) => /^#+ /.test(line)).length).toBeLessThanOrEqual(2)
          const own = /<\/?(details|summary)>/g
          expect(outside.replace(own, '')).not.toMatch(/<|^ {4}|^(`{3}|~{3})|(?<!\\)\]\(|www\.|(?<!\\):\/\//m)
        }),
        cases(1_000),
      )
    },
    patience,
  )

  test(
    'gives a step summary with one row a result',
    () => {
      fc.assert(
        fc.property(hostileText, hostileText, (name, value) => {
          const text = renderJobSummary({
            title: name,
            ok: false,
            failure: value,
            results: [[name, value]],
            sections: [],
            timings: [],
          })
          const lines = text.split('\n').filter((line) => line !== '')
          expect(lines[0]).toMatch(/^## ❌ /)
          expect(lines[1]).toMatch(/^>/)
          expect(lines.slice(2)).toHaveLength(3)
          expect(lines.at(-1)?.match(/(?<!\\)\|/g)).toHaveLength(3)
        }),
        cases(1_000),
      )
    },
    patience,
  )

  test(
    'moves no cursor of a terminal and leaves no Mermaid chart',
    () => {
      fc.assert(
        fc.property(hostileRecord, hostileText, (record, name) => {
          expect(renderTableText(record)).not.toMatch(
            /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/,
          )
          const lines = ganttChart(name, [{ name, startMs: 0, durationMs: 1, ok: true }]).split('\n')
          expect(lines).toHaveLength(5)
          expect(lines[4]).toMatch(/^ {2}[\p{L}\p{N} ._()/-]+ :0, 1$/u)
        }),
        cases(1_000),
      )
    },
    patience,
  )

  test('reads as what it says', () => {
    expect(escapeMarkdown('1. a_b [x](http://y) @team <b> | www.a.b')).toBe(
      '1\\. a\\_b \\[x\\]\\(http\\://y\\) @\u200dteam &lt;b&gt; \\| www\\.a.b',
    )
  })
})
