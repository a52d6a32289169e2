import { type Browser, chromium, type Page } from 'playwright-core'
import { CHROMIUM } from '../../../voting-app/result/test/chromium.ts'

/** The result page, open in Chromium from now on, and never loaded again by the test. */
export interface OpenPage {
  /** Resolves when the page shows so many votes in all and says that it is live. Rejects with what it shows instead. */
  readonly shows: (total: number, timeoutMs: number) => Promise<void>
  /** How often the page was loaded: 1, unless something has reloaded it. */
  readonly loads: () => number
  /** How often its live connection has been lost so far. */
  readonly losses: () => Promise<number>
  readonly close: () => Promise<void>
}

export async function openResultPage(url: string): Promise<OpenPage> {
  const browser: Browser = await chromium.launch(CHROMIUM)
  try {
    const page = await browser.newPage()
    let loads = 0
    page.on('load', () => (loads += 1))
    await page.goto(url)
    await page.waitForSelector('#connection[data-state=live]')
    // Kept in the page itself: a reload would lose it.
    await page.evaluate(countLosses)
    return {
      shows: (total, timeoutMs) => shows(page, total, timeoutMs),
      loads: () => loads,
      losses: () => page.evaluate<number>('window.losses'),
      close: () => browser.close(),
    }
  } catch (error) {
    await browser.close()
    throw error
  }
}

/** Runs in the page, which this project has no types of. */
const countLosses = `{
  window.losses = 0
  const connection = document.getElementById('connection')
  const look = () => { if (connection.dataset.state === 'lost') window.losses += 1 }
  new MutationObserver(look).observe(connection, { attributes: true, attributeFilter: ['data-state'] })
}`

const showsTotal = (total: number): string => `
  document.getElementById('connection').dataset.state === 'live' &&
  Number(document.getElementById('total').textContent.replace(/\\D/g, '')) === ${total}`

async function shows(page: Page, total: number, timeoutMs: number): Promise<void> {
  try {
    await page.waitForFunction(showsTotal(total), undefined, { timeout: timeoutMs })
  } catch (error) {
    const [text, state] = await Promise.all([
      page.textContent('#total'),
      page.getAttribute('#connection', 'data-state'),
    ])
    throw new Error(`the result page shows "${text}" (${state}), not ${total} votes`, { cause: error })
  }
}
