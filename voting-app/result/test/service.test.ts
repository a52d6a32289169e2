import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Service } from '../src/service.ts'
import { count, emptySchema, getJson, Listener, startResult, voteId } from './fixture.ts'
import { eventually, type PostgresServer, startPostgres } from './postgres-server.ts'

describe('the result service on a real Postgres', () => {
  let postgres: PostgresServer
  let service: Service
  let pages: Listener[] = []
  const open = (at = service) => {
    const page = new Listener(at)
    pages.push(page)
    return page
  }

  before(async () => {
    postgres = await startPostgres()
  })
  after(() => postgres?.remove())
  beforeEach(async () => {
    await emptySchema(postgres)
    service = await startResult(postgres)
  })
  afterEach(async () => {
    for (const page of pages) page.socket.terminate()
    pages = []
    await service.stop()
  })

  it('sends the scores on connect and whenever they change', async () => {
    await count(postgres, { id: voteId(1), voter: 'x', choice: 'a', sequence: 1795257265727160 })
    const page = open()
    const first = await page.shows(1, 0)
    assert.deepEqual(first, { type: 'scores', scores: { a: 1, b: 0 }, total: 1, sequence: 1795257265727160, pod: 'result-test' })
    await count(postgres, { id: voteId(2), voter: 'y', choice: 'b', sequence: 1795257265727161 })
    const started = Date.now()
    assert.equal((await page.shows(1, 1)).sequence, 1795257265727161)
    assert.ok(Date.now() - started < 2500, 'by notification, not by poll')
    await count(postgres, { id: voteId(3), voter: 'x', choice: 'b', sequence: 1795257265727162 })
    assert.equal((await page.shows(0, 2)).total, 2)
  })

  it('sends a frame for a vote that changes the sequence only', async () => {
    await count(postgres, { id: voteId(1), voter: 'x', choice: 'a', sequence: 10 })
    const page = open()
    await page.shows(1, 0)
    await count(postgres, { id: voteId(2), voter: 'x', choice: 'a', sequence: 11 })
    await eventually('the new sequence', () => assert.equal(page.frames.at(-1)?.sequence, 11))
  })

  it('sends every page the same, and few frames for many votes', async () => {
    const all = [open(), open(), open()]
    await Promise.all(all.map((page) => page.shows(0, 0)))
    for (let n = 1; n <= 40; n++) await count(postgres, { id: voteId(n), voter: `v${n}`, choice: 'b', sequence: n })
    await Promise.all(all.map((page) => page.shows(0, 40)))
    assert.ok(all.every((page) => page.frames.length <= 40), String(all.map((page) => page.frames.length)))
  })

  it('finds a vote whose notification was lost', async () => {
    const page = open()
    await page.shows(0, 0)
    await sleep(500) // past the looks that connecting causes
    await count(postgres, { id: voteId(1), voter: 'x', choice: 'a', sequence: 1 }, false)
    await page.shows(1, 0, 8000)
  })

  it('goes on by itself after Postgres was killed', async () => {
    const page = open()
    await count(postgres, { id: voteId(1), voter: 'x', choice: 'a', sequence: 1 })
    await page.shows(1, 0)
    await postgres.kill()
    assert.equal((await getJson(service, '/ready')).status, 503)
    assert.equal((await getJson(service, '/health')).status, 200)
    const away = await getJson(service, '/api/scores')
    assert.equal(away.status, 503)
    assert.ok(Number(away.headers.get('retry-after')) > 0)
    assert.equal((await getJson(service, `/api/votes/${voteId(1)}`)).status, 503)
    // A page opened meanwhile still sees what is known.
    await open().shows(1, 0)
    await postgres.start()
    await eventually('ready again', async () => assert.equal((await getJson(service, '/ready')).status, 200))
    await eventually('listening again', async () => {
      assert.match(await (await fetch(`http://127.0.0.1:${service.port}/metrics`)).text(), /result_db_reconnects_total [1-9]/)
    })
    await count(postgres, { id: voteId(2), voter: 'y', choice: 'b', sequence: 2 })
    await page.shows(1, 1)
    assert.equal(page.socket.readyState, WebSocket.OPEN, 'the page kept its connection')
  })

  it('gives up on a Postgres that hangs, in time', async () => {
    assert.equal((await getJson(service, '/ready')).status, 200)
    postgres.pause()
    try {
      const started = Date.now()
      assert.equal((await getJson(service, '/ready')).status, 503)
      assert.equal((await getJson(service, '/api/scores')).status, 503)
      assert.ok(Date.now() - started < 6000)
    } finally {
      postgres.resume()
    }
    await eventually('ready again', async () => assert.equal((await getJson(service, '/ready')).status, 200))
  })

  it('shows zeros before the schema exists, and stays honest about readiness', async () => {
    await postgres.query('DROP TABLE votes, ballots')
    const page = open()
    await page.shows(0, 0)
    assert.equal((await getJson(service, '/ready')).status, 200)
    assert.deepEqual((await getJson(service, '/api/scores')).body, { scores: { a: 0, b: 0 }, total: 0, sequence: 0, pod: 'result-test' })
    assert.equal((await getJson(service, `/api/votes/${voteId(1)}`)).status, 404)
    await emptySchema(postgres)
    await count(postgres, { id: voteId(1), voter: 'x', choice: 'a', sequence: 5 })
    await page.shows(1, 0)
  })

  it('proves that one vote was counted', async () => {
    const id = 'abcdef00-0000-4000-8000-000000000001'
    const missing = await getJson(service, `/api/votes/${id}`)
    assert.equal(missing.status, 404)
    await count(postgres, { id, voter: 'x', choice: 'b', sequence: 1795257265727160 })
    const found = await getJson(service, `/api/votes/${id.toUpperCase()}`)
    assert.equal(found.status, 200)
    const { countedAt, ...rest } = found.body
    assert.deepEqual(rest, { voteId: id, choice: 'b', sequence: 1795257265727160 })
    assert.ok(Math.abs(Date.parse(String(countedAt)) - Date.now()) < 60_000)
  })

  for (const bad of ['x', "1'%20OR%20'1'='1", voteId(1).slice(1), `${voteId(1)}/more`]) {
    it(`refuses the vote id ${bad}`, async () => {
      const answer = await getJson(service, `/api/votes/${bad}`)
      assert.equal(answer.status, 400)
      const error = answer.body.error as { problems: { name: string; allowed: string }[] }
      assert.equal(error.problems[0]?.name, 'voteId')
    })
  }

  it('refuses other methods and paths, and counts them under few labels', async () => {
    const refused = await fetch(`http://127.0.0.1:${service.port}/`, { method: 'POST' })
    assert.equal(refused.status, 405)
    assert.equal(refused.headers.get('allow'), 'GET, HEAD')
    for (const path of ['/one', '/two', '/../etc/passwd', '/src/main.ts']) assert.equal((await getJson(service, path)).status, 404)
    const text = await (await fetch(`http://127.0.0.1:${service.port}/metrics`)).text()
    assert.match(text, /result_http_requests_total\{method="GET",route="none",code="404"\} 4/)
    assert.match(text, /result_http_requests_total\{method="other",route="none",code="405"\} 1/)
    assert.match(text, /result_clients 0/)
  })

  it('sends security headers with everything', async () => {
    for (const path of ['/', '/result.js', '/health', '/nowhere']) {
      const { headers } = await fetch(`http://127.0.0.1:${service.port}${path}`)
      assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'/)
      assert.doesNotMatch(headers.get('content-security-policy') ?? '', /unsafe/)
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
    }
  })

  it('cuts off a page that sends a lot, and lives', async () => {
    const page = open()
    await page.shows(0, 0)
    page.socket.send('x'.repeat(5000))
    await eventually('cut off', () => assert.notEqual(page.closeCode, undefined))
    await open().shows(0, 0)
  })

  it('drains on stop: unready, still serving, then sends pages away', async () => {
    const other = await startResult(postgres, { drainMs: 1500 })
    const page = open(other)
    await page.shows(0, 0)
    const stopped = other.stop()
    const draining = await getJson(other, '/ready')
    assert.equal(draining.status, 503)
    assert.equal(draining.body.status, 'draining')
    const served = await fetch(`http://127.0.0.1:${other.port}/`)
    assert.equal(served.status, 200)
    assert.equal(served.headers.get('connection'), 'close')
    await sleep(100)
    assert.equal(page.closeCode, undefined)
    await stopped
    await eventually('sent away', () => assert.equal(page.closeCode, 1001))
    await assert.rejects(fetch(`http://127.0.0.1:${other.port}/`))
  })
})
