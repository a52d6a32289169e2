import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { sealedClientEnvironment } from '../../../src/engine/sealed-client.ts'
import { testHost } from '../../support/test-host.ts'

test('adds the name server to run and create, and changes nothing else', async () => {
  const base = testHost()
  const folder = path.join(base.paths.temp, "it's a bin")
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'docker'), '#!/bin/sh\nprintf "[%s]" "$@"\n')
  chmodSync(path.join(folder, 'docker'), 0o755)
  const host = { ...base, env: { ...base.env, PATH: `${folder}:${base.env['PATH']}` } }
  // Set up twice: the second must not find the first and call itself.
  const once = await sealedClientEnvironment(host)
  const env = await sealedClientEnvironment({ ...host, env: once })
  const docker = async (...args: string[]) =>
    (await host.exec.run('/usr/bin/env', ['docker', ...args], { env, timeoutMs: 5_000 })).stdout
  expect(await docker('run', '--name', 'a b', 'image')).toBe('[run][--dns][127.0.0.1][--name][a b][image]')
  expect(await docker('create', 'image')).toBe('[create][--dns][127.0.0.1][image]')
  expect(await docker('exec', 'run')).toBe('[exec][run]')
})
