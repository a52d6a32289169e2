import assert from 'node:assert/strict'
import { it } from 'node:test'
import { loadPage } from '../src/page.ts'
import { readSettings, SettingsError } from '../src/settings.ts'

it('has defaults for everything', () => {
  const settings = readSettings({})
  assert.equal(settings.port, 8081)
  assert.equal(settings.database.host, 'postgres-service')
  assert.deepEqual(settings.labels, { a: 'Cats', b: 'Dogs' })
})

it('names every problem at once', () => {
  assert.throws(
    () =>
      readSettings({
        POSTGRES_PORT: 'high',
        LOG_LEVEL: 'loud',
        VOTE_URL: 'javascript:alert(1)',
        POSTGRES_PASSWORD_FILE: '/does/not/exist',
      }),
    (error: unknown) => {
      assert.ok(error instanceof SettingsError)
      for (const part of ['POSTGRES_PORT="high"', 'from 1 to 65535', 'LOG_LEVEL="loud"', 'debug, info', 'VOTE_URL', 'POSTGRES_PASSWORD_FILE']) {
        assert.ok(error.message.includes(part), `${part} is missing from: ${error.message}`)
      }
      return true
    },
  )
})

it('escapes labels and link in the page', () => {
  const page = loadPage({ labels: { a: "<b>Tea$&</b>", b: '"Coffee"' }, voteUrl: 'http://127.0.0.1/?a=1&b="' })
  const html = page.get('/')?.body ?? ''
  assert.ok(!html.includes('<b>') && html.includes('&lt;b&gt;Tea$&amp;&lt;/b&gt;') && html.includes('&quot;Coffee&quot;'))
  assert.ok(html.includes('href="http://127.0.0.1/?a=1&amp;b=&quot;"'))
  assert.ok(!html.includes('{{'))
})

it('needs nothing from elsewhere', () => {
  const html = loadPage({ labels: { a: 'A', b: 'B' }, voteUrl: undefined }).get('/')?.body ?? ''
  assert.deepEqual(html.match(/(?:src|href)="(?!\/)[^"]*"/g), null)
  assert.ok(!html.includes('<style') && !html.includes('style=') && !/<script(?! src)/.test(html))
})
