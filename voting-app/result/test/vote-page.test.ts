import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { CHROMIUM } from './chromium.ts'
import { eventually } from './postgres-server.ts'

// Here, and not beside the vote service, because this is where the browser's driver is installed.
const SERVICE = fileURLToPath(new URL('../../vote', import.meta.url))

/** The Python that has the vote service's requirements installed. */
function python(): string {
  const path = process.env.VOTE_PYTHON
  if (!path || !existsSync(path)) {
    throw new Error(`VOTE_PYTHON=${JSON.stringify(path)}: allowed is the python of a virtual environment with vote/requirements.txt installed`)
  }
  return path
}

describe('the vote page in Chromium', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vote-page-'))
  let redisPort: number
  let url: string
  let redis: ChildProcess
  let service: ChildProcess
  let browser: Browser

  const startRedis = () => {
    const options = ['--port', String(redisPort), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes']
    redis = spawn('redis-server', [...options, '--appendfsync', 'always'], { stdio: 'ignore' })
  }
  const queueLength = async () => {
    const text = await (await fetch(`${url}/metrics`)).text()
    return Number(/^vote_queue_length (\S+)/m.exec(text)?.[1] ?? Number.NaN)
  }
  const open = async (options: Parameters<Browser['newContext']>[0] = {}) => {
    const page = await (await browser.newContext(options)).newPage()
    await page.goto(url)
    return page
  }
  const close = (page: Page) => page.context().close()

  before(async () => {
    const [first, second] = [await freePort(), await freePort()]
    redisPort = first
    url = `http://127.0.0.1:${second}`
    startRedis()
    const env = { ...process.env, PORT: String(second), REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redisPort), DRAIN_SECONDS: '0' }
    const command = ['-m', 'gunicorn', '--config', 'gunicorn.conf.py', 'vote.wsgi:application']
    service = spawn(python(), command, { cwd: SERVICE, env: { ...env, POD_NAME: 'vote-test', PYTHONDONTWRITEBYTECODE: '1' }, stdio: 'ignore' })
    browser = await chromium.launch(CHROMIUM)
    await eventually('the service is ready', async () => assert.equal((await fetch(`${url}/ready`)).status, 200), 20_000)
  })
  after(async () => {
    await browser?.close()
    service?.kill('SIGTERM')
    redis?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  it('votes by keyboard, changes the vote, and remembers it', async () => {
    const page = await open()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByText('You voted for Cats.').waitFor()
    await page.getByRole('button', { name: 'Dogs' }).click()
    await page.getByRole('status').getByText('You voted for Dogs.').waitFor()
    assert.equal(await page.getByRole('button', { pressed: true }).textContent().then((text) => text?.trim().startsWith('Dogs')), true)
    assert.equal(await queueLength(), 2)
    await page.reload()
    await page.getByText('You voted for Dogs.').waitFor()
    assert.deepEqual(complaints, [])
    await close(page)
  })

  it('tries again while Redis is away, and gets through without a reload', async () => {
    const page = await open()
    const before = await queueLength()
    redis.kill('SIGKILL')
    await page.getByRole('button', { name: 'Cats' }).click()
    await page.getByText('trying again').waitFor()
    startRedis()
    await page.getByText('You voted for Cats.').waitFor()
    assert.equal(await queueLength(), before + 1)
    await close(page)
  })

  it('works without scripts', async () => {
    const page = await open({ javaScriptEnabled: false })
    await page.getByRole('button', { name: 'Dogs' }).click()
    await page.getByText('You voted for Dogs.').waitFor()
    await close(page)
  })

  it('fits a phone, in light and dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await open({ viewport: { width: 320, height: 568 }, colorScheme })
      assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${colorScheme}: scrolls sideways`)
      await close(page)
    }
  })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
