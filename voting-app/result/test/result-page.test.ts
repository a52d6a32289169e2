import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Browser, chromium } from 'playwright-core'
import type { Service } from '../src/service.ts'
import { CHROMIUM } from './chromium.ts'
import { count, emptySchema, startResult, voteId } from './fixture.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

describe('the result page in Chromium', () => {
  let postgres: PostgresServer
  let service: Service
  let browser: Browser

  before(async () => {
    ;[postgres, browser] = await Promise.all([startPostgres(), chromium.launch(CHROMIUM)])
    await emptySchema(postgres)
    service = await startResult(postgres)
  })
  after(async () => {
    await browser?.close()
    await service?.stop()
    await postgres?.remove()
  })

  it('follows the count without a reload, through a restart of the service', async () => {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => {
      if (/Content.Security.Policy|violates/i.test(message.text())) complaints.push(message.text())
    })
    const { port } = service
    await page.goto(`http://127.0.0.1:${port}/`)
    await page.getByText('Live', { exact: true }).waitFor()
    await page.getByText('No votes yet').waitFor()
    await count(postgres, { id: voteId(1), voter: 'x', choice: 'a', sequence: 1 })
    await page.getByText('1 vote in all').waitFor()
    assert.equal(await page.locator('#percent-a').textContent(), '100%')

    await service.stop()
    await page.getByText('Reconnecting …').waitFor()
    await count(postgres, { id: voteId(2), voter: 'y', choice: 'b', sequence: 2 })
    await count(postgres, { id: voteId(3), voter: 'z', choice: 'b', sequence: 3 })
    service = await startResult(postgres, { port, pod: 'result-2' })
    await page.getByText('Live', { exact: true }).waitFor()
    await page.getByText('3 votes in all').waitFor()
    assert.deepEqual([await page.locator('#percent-a').textContent(), await page.locator('#percent-b').textContent()], ['33%', '67%'])
    assert.equal(await page.locator('#pod').textContent(), 'result-2')
    assert.deepEqual(complaints, [])
    await page.close()
  })

  it('fits a phone, in light and dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await browser.newPage({ viewport: { width: 320, height: 568 }, colorScheme })
      await page.goto(`http://127.0.0.1:${service.port}/`)
      await page.getByText('in all').waitFor()
      assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${colorScheme}: scrolls sideways`)
      await page.close()
    }
  })
})
