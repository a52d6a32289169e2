import fc from 'fast-check'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { renderHtml } from '../../src/report/html.ts'
import { plainText } from '../../src/report/plain-text.ts'
import { CHROMIUM } from '../../voting-app/result/test/chromium.ts'
import { recordFault } from '../support/fault-results.ts'
import { hostileText } from '../support/hostile-text.ts'
import { checkRecord, runRecord } from '../unit/report/sample-record.ts'

let browser: Browser

beforeAll(async () => {
  browser = await chromium.launch(CHROMIUM)
})

afterAll(() => browser.close())

const texts = fc.sample(
  hostileText.filter((text) => plainText(text).trim() !== ''),
  { seed: 20261121, numRuns: 300 },
)

/** Without the policy that forbids scripts: the text alone must not be one. */
function report(evidence: readonly string[]): string {
  const record = runRecord(
    evidence.map((text, index) =>
      checkRecord({
        id: `C${index}`,
        title: text,
        reason: text,
        evidence: [{ text, command: text }],
        observations: { [text]: text },
      }),
    ),
  )
  return renderHtml(record).replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, '')
}

const elements = `[...document.querySelectorAll('script, img, iframe, svg, object, embed, form, input, base, [onerror], [onload], [onclick]')].map((one) => one.tagName)`
const evidence = `[...document.querySelectorAll('.title')].map((one) => one.firstChild.data)`

test('a browser shows a report full of markup as text, and runs none of it', async () => {
  const page = await browser.newPage()
  const alerts: string[] = []
  page.on('dialog', (dialog) => {
    alerts.push(dialog.message())
    void dialog.dismiss()
  })
  await page.setContent(report(texts))
  const found = await page.evaluate<string[]>(elements)
  const shown = await page.evaluate<string[]>(evidence)
  const held = alerts.length === 0 && found.length === 0 && shown.length === texts.length
  recordFault({
    section: 'input',
    fault: `report.html of ${texts.length} checks full of markup, in Chromium without its policy`,
    expected: 'no script runs, no element of theirs, each text as it is',
    seen: `${alerts.length} scripts ran, ${found.length} elements, ${shown.length} texts`,
    held,
  })
  expect(alerts).toEqual([])
  expect(found).toEqual([])
  // HTML knows no carriage return of its own, and the title ends where its verdict begins.
  expect(shown.map((text) => text.replace(/ $/, ''))).toEqual(texts.map((text) => plainText(text)))
})

test('the look finds a script and an element where text is not escaped', async () => {
  const page = await browser.newPage()
  const alert = page.waitForEvent('dialog')
  const loading = page.setContent(report(['x']).replace('>x <', '><img src=x onerror=alert(1)> <'))
  await (await alert).dismiss()
  await loading
  expect(await page.evaluate<string[]>(elements)).toEqual(['IMG'])
})
