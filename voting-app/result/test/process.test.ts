import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

function start(env: Record<string, string>) {
  const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env.PATH ?? '', ...env } })
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))
  return { child, output: () => output, exited: once(child, 'exit') }
}

it('starts without Postgres, logs JSON, and ends with 0 on SIGTERM', async () => {
  const secret = 'not-for-the-log'
  const env = { PORT: '0', POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: '1', POSTGRES_PASSWORD: secret, DRAIN_SECONDS: '0' }
  const { child, output, exited } = start(env)
  while (!output().includes('"started"')) await once(child.stdout, 'data')
  child.kill('SIGTERM')
  assert.deepEqual((await exited).slice(0, 2), [0, null])
  const lines = output().trim().split('\n').map((line) => JSON.parse(line))
  assert.ok(lines.every((line) => line.time && line.level && line.service === 'result' && line.message))
  assert.ok(!output().includes(secret))
})

it('ends with 2 and one clear line on bad settings', async () => {
  const { output, exited } = start({ POSTGRES_PORT: 'high' })
  assert.equal((await exited)[0], 2)
  assert.equal(output().trim(), 'POSTGRES_PORT="high": allowed is a number from 1 to 65535, for example 5432')
})
