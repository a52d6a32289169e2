import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { annotationsOf } from '../../../src/report/annotations.ts'
import { renderHtml } from '../../../src/report/html.ts'
import { escapeXml, renderJunit } from '../../../src/report/junit.ts'
import { escapeMarkdown } from '../../../src/report/plain-text.ts'
import { renderSummary } from '../../../src/report/summary.ts'
import { renderTableText } from '../../../src/report/table.ts'
import { writeReports } from '../../../src/report/write.ts'
import { checkRecord, hostile, runRecord } from './sample-record.ts'

const failed = checkRecord({
  verdict: 'fail',
  reason: 'queued: 1 vote waits in Redis, worker 0/0 ready',
  evidence: [{ text: 'no row', command: 'kubectl -n voting-app get pods' }],
  attempts: [{ atMs: 250, seen: 'no row' }],
})
const skipped = checkRecord({
  id: 'R4.once',
  verdict: 'skipped',
  needs: ['R4.stored'],
  reason: 'needs R4.stored (fail)',
})
const unseen = checkRecord({ id: 'D1.srv', suite: 'dns', verdict: 'inconclusive', reason: 'stream lost' })
const everything = checkRecord({
  id: `id ${hostile}`,
  title: hostile,
  suite: hostile,
  verdict: 'fail',
  reason: hostile,
  evidence: [{ text: hostile, command: hostile }],
  attempts: [{ atMs: 1, seen: hostile }],
  observations: { [hostile]: hostile },
})
const hostileRecord = runRecord([everything], {
  namespace: hostile,
  problems: [hostile],
  timings: [{ name: hostile, startMs: 0, durationMs: 5, ok: false }],
})

describe('JUnit', () => {
  it('makes fail a failure, inconclusive an error, and counts each', () => {
    const xml = renderJunit(runRecord([checkRecord({ id: 'R4.accept' }), failed, skipped, unseen]))
    expect(xml).toContain('tests="4" failures="1" errors="1" skipped="1"')
    expect(xml).toContain(
      '<failure message="queued: 1 vote waits in Redis, worker 0/0 ready" type="fail">no row&#10;$ kubectl',
    )
    expect(xml).toContain('<error message="stream lost" type="inconclusive">')
    expect(xml).toContain('<skipped message="needs R4.stored (fail)"/>')
    expect(xml).toContain('<testsuite name="dns" tests="1" failures="0" errors="1"')
  })

  it('is red for a run without checks, and for one that is wrong as a whole', () => {
    expect(renderJunit(runRecord([]))).toContain('<failure message="no check ran"')
    const late = renderJunit(runRecord([checkRecord()], { verdict: 'fail', problems: ['out of time: a'] }))
    expect(late).toContain('<failure message="out of time: a"')
    expect(late).toContain('failures="1"')
  })

  it('stays well-formed XML whatever a cluster says', () => {
    const xml = renderJunit(hostileRecord)
    expect(xml).not.toContain('<script')
    expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/)
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeXml(text)).not.toMatch(
          /[<>"]|[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|&(?!amp;|lt;|gt;|quot;|#10;)/,
        )
      }),
    )
  })
})

describe('job summary', () => {
  it('shows the verdict, the red check with the next command, and the timeline', () => {
    const text = renderSummary(runRecord([checkRecord({ id: 'R4.accept' }), failed, skipped]))
    expect(text).toContain('## ❌ Assertions: 1 passed, 1 failed, 0 inconclusive, 1 skipped')
    expect(text).toContain('```sh\nkubectl -n voting-app get pods\n```')
    expect(text).toContain('```mermaid\ngantt')
  })

  it('keeps one row a row and lets no markup, mention or fence through', () => {
    const text = renderSummary(hostileRecord)
    const outside = text.replace(/^(`{3,})[^\n]*\n[\s\S]*?\n\1$/gm, '')
    expect(outside).not.toMatch(/<script|@octocat/)
    expect(outside.split('\n').filter((line) => line.startsWith('| ❌'))).toHaveLength(1)
    expect(outside).not.toMatch(/^::/m)
    expect(outside).not.toContain('](javascript')
  })

  it('stays under 1 MiB, breaks no row and says what is left out', () => {
    const long = 'é|`x`'.repeat(20_000)
    const red = Array.from({ length: 2_000 }, (_, i) =>
      checkRecord({
        id: `c${i}`,
        verdict: 'fail',
        title: long,
        reason: long,
        evidence: Array.from({ length: 20 }, () => ({ text: long, command: long })),
      }),
    )
    const green = Array.from({ length: 2_000 }, (_, i) => checkRecord({ id: `g${i}` }))
    const text = renderSummary(
      runRecord([...green, ...red], {
        target: long,
        namespace: long,
        problems: Array.from({ length: 500 }, () => long),
        timings: [{ name: long, startMs: 0, durationMs: 5, ok: false }],
      }),
    )
    expect(Buffer.byteLength(text)).toBeLessThan(900 * 1024)
    expect(text).toMatch(/480 more problems are left out/)
    expect(text).toMatch(/\d+ more checks are left out \(\d+ passed, \d+ failed/)
    expect(text).toMatch(/The evidence of \d+ more red checks is left out/)
    // What is red is shown before what is green.
    expect(text).toContain('| ❌ fail | `c0` |')
    expect(text).not.toContain('| `g0` |')
    for (const row of text.split('\n').filter((line) => line.startsWith('| '))) expect(row).toMatch(/ \|$/)
    expect(text.match(/^`{3,}/gm)?.length).toBe(2 * (text.match(/^`{3,}(text|sh|mermaid)$/gm)?.length ?? 0))
  })

  it('escapes so that every character stands for itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeMarkdown(text)).not.toMatch(/[<>\n]|(?<!\\)[|`*[\]]/)
      }),
    )
  })
})

describe('annotations', () => {
  it('are one per root cause, naming what was skipped because of it', () => {
    expect(annotationsOf(runRecord([failed, skipped, checkRecord({ id: 'R4.accept' })]))).toEqual([
      {
        level: 'error',
        title: 'R4.stored failed: The vote is a row',
        message:
          'R4.stored: queued: 1 vote waits in Redis, worker 0/0 ready. Skipped because of it: R4.once. Next: kubectl -n voting-app get pods',
      },
    ])
  })

  it('are warnings where the verdict does not fail the run, and at most ten', () => {
    expect(annotationsOf(runRecord([unseen], { failOn: ['fail'] }))[0]?.level).toBe('warning')
    const many = annotationsOf(
      runRecord(
        Array.from({ length: 30 }, (_, i) => checkRecord({ id: `c${i}`, verdict: 'fail', reason: `row ${i} is gone` })),
      ),
    )
    expect(many).toHaveLength(10)
    expect(many.at(-1)?.message).toBe('21 more findings are in the job summary and in the report')
  })
})

describe('root causes', () => {
  const api = checkRecord({ id: 'R1.api', verdict: 'fail', reason: 'no answer' })

  it('are found at any distance, through skipped and red checks', () => {
    const checks = [
      checkRecord({ id: 'R3.pods', verdict: 'skipped', needs: ['R2.nodes'], reason: 'needs R2.nodes' }),
      checkRecord({ id: 'R2.nodes', verdict: 'skipped', needs: ['R1.api'], reason: 'needs R1.api' }),
      checkRecord({ id: 'R5.dns', verdict: 'fail', needs: ['R3.pods'], reason: 'time-out' }),
      checkRecord({ id: 'R9.other', verdict: 'skipped', reason: 'does not apply' }),
      api,
    ]
    expect(annotationsOf(runRecord(checks))).toEqual([
      {
        level: 'error',
        title: 'R1.api failed: The vote is a row',
        message: 'R1.api: no answer. Red because of it: R5.dns. Skipped because of it: R3.pods, R2.nodes.',
      },
    ])
  })

  it('are one where several checks give the same reason, and two where they do not', () => {
    const same = checkRecord({ id: 'R1.version', verdict: 'fail', reason: 'no answer' })
    const other = checkRecord({ id: 'R7.dns', verdict: 'fail', reason: 'another thing' })
    expect(annotationsOf(runRecord([api, same, other])).map((entry) => entry.message)).toEqual([
      'R1.api, R1.version: no answer.',
      'R7.dns: another thing.',
    ])
  })

  it('do not hang on checks that need each other, and none of them is lost', () => {
    const one = checkRecord({ id: 'a', verdict: 'fail', needs: ['b'], reason: 'x' })
    const two = checkRecord({ id: 'b', verdict: 'fail', needs: ['a'], reason: 'y' })
    const text = annotationsOf(runRecord([one, two]))
      .map((entry) => entry.message)
      .join('\n')
    expect(text).toMatch(/\ba\b/)
    expect(text).toMatch(/\bb\b/)
  })

  it('that fail the run come before warnings, which are left out first', () => {
    const warnings = Array.from({ length: 20 }, (_, i) =>
      checkRecord({ id: `w${i}`, verdict: 'inconclusive', reason: `lost ${i}` }),
    )
    const found = annotationsOf(runRecord([...warnings, api], { failOn: ['fail'] }))
    expect(found[0]?.title).toMatch(/^R1.api failed/)
    expect(found.at(-1)).toMatchObject({ level: 'warning', message: expect.stringMatching(/^12 more findings/) })
  })

  it('have a message that GitHub does not cut', () => {
    const long = checkRecord({ id: 'x', verdict: 'fail', reason: 'y'.repeat(1_000_000) })
    expect(annotationsOf(runRecord([long]))[0]?.message.length).toBeLessThan(5_000)
  })
})

describe('terminal table', () => {
  it('ends with the verdict and shows red checks with the next command', () => {
    const text = renderTableText(runRecord([checkRecord({ id: 'R4.accept' }), failed, skipped]))
    expect(text).toMatchInlineSnapshot(`
      "vote-flow
        ✔ R4.accept    0.3 s  row found after 0.2 s
        ✘ R4.stored    0.3 s  queued: 1 vote waits in Redis, worker 0/0 ready
        - R4.once      0.3 s  needs R4.stored (fail)

      ✘ R4.stored: The vote is a row
        queued: 1 vote waits in Redis, worker 0/0 ready
        $ kubectl -n voting-app get pods

      FAIL  1 passed, 1 failed, 0 inconclusive, 1 skipped in 4.8 s"
    `)
  })

  it('lets no control character through to the terminal', () => {
    expect(renderTableText(hostileRecord)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  })
})

describe('HTML report', () => {
  it('is one file that loads nothing and runs nothing', () => {
    const html = renderHtml(hostileRecord)
    expect(html).not.toMatch(/<script|<link|<img|<iframe|src=|url\(|@import| on\w+=/i)
    expect(html).toContain("default-src 'none'")
  })

  it('says each verdict in words and opens the red ones', () => {
    const html = renderHtml(runRecord([checkRecord({ id: 'R4.accept' }), failed]))
    expect(html).toContain('(failed)')
    expect(html).toMatch(/<details class="check fail" open id="R4.stored">/)
    expect(html).toContain('<html lang="en">')
  })
})

describe('report files', () => {
  it('are written whole, under stable names', async () => {
    const folder = path.join(await mkdtemp(path.join(tmpdir(), 'reports-')), 'new')
    const record = runRecord([failed])
    const files = await writeReports(record, folder)
    expect((await readdir(folder)).sort()).toEqual(['assertions.json', 'junit.xml', 'report.html', 'summary.md'])
    expect(JSON.parse(await readFile(files.json, 'utf8'))).toEqual(record)
  })
})
