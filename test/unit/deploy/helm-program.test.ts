import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { helmProgram } from '../../../src/deploy/helm-program.ts'
import { testHost } from '../../support/test-host.ts'

const machine = { platform: 'linux', arch: 'x64' }
const servers: http.Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A release archive of a helm that is a small script, and a server that has it. */
async function release(): Promise<{ sha256: string; url: string; asked: string[] }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'helm-release-'))
  await mkdir(path.join(folder, 'linux-amd64'))
  await writeFile(path.join(folder, 'linux-amd64', 'helm'), '#!/bin/sh\necho v9.9.9\n', { mode: 0o755 })
  const archive = path.join(folder, 'helm.tar.gz')
  execFileSync('tar', ['--create', '--gzip', '--file', archive, '--directory', folder, 'linux-amd64'])
  const content = readFileSync(archive)
  const asked: string[] = []
  const server = http.createServer((request, response) => {
    asked.push(request.url ?? '')
    response.end(content)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { sha256: createHash('sha256').update(content).digest('hex'), url: `http://127.0.0.1:${port}/`, asked }
}

it('downloads once, checks at every use, and runs', async () => {
  const { sha256, url, asked } = await release()
  const host = testHost()
  const options = { machine, downloadBaseUrl: url, pin: { version: '9.9.9', sha256: { amd64: sha256, arm64: 'none' } } }
  const helm = await helmProgram(host, options)
  expect(execFileSync(helm).toString()).toBe('v9.9.9\n')
  await helmProgram(host, options)
  expect(asked).toEqual(['/helm-v9.9.9-linux-amd64.tar.gz'])
  // What lies in the cache is not believed by its name.
  await writeFile(path.join(host.paths.cache, 'tools', 'helm', '9.9.9', 'helm-v9.9.9-linux-amd64.tar.gz'), 'evil')
  await helmProgram(host, options)
  expect(asked).toHaveLength(2)
})

it('refuses an archive that is not the pinned one', async () => {
  const { url } = await release()
  await expect(helmProgram(testHost(), { machine, downloadBaseUrl: url })).rejects.toThrow(
    'helm 3.19.0 has the wrong digest: expected sha256 a7f81ce0',
  )
})

it('takes another version with the digest of its archive, and none without', async () => {
  const { sha256, url, asked } = await release()
  const options = { machine, downloadBaseUrl: url }
  const helm = await helmProgram(testHost(), { ...options, version: `v4.1.0@sha256:${sha256}` })
  expect(execFileSync(helm).toString()).toBe('v9.9.9\n')
  expect(asked).toEqual(['/helm-v4.1.0-linux-amd64.tar.gz'])
  await expect(helmProgram(testHost(), { ...options, version: '4.1.0' })).rejects.toMatchObject({
    code: 'TOOL_UNPINNED',
    message: 'helm 4.1.0 has no digest pinned in this release; pinned: 3.19.0',
  })
})

it('takes what PATH has only when asked to', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'helm-path-'))
  await writeFile(path.join(folder, 'helm'), '#!/bin/sh\n', { mode: 0o755 })
  const host = testHost({ env: { PATH: folder } })
  expect(await helmProgram(host, { machine, version: 'preinstalled' })).toBe(path.join(folder, 'helm'))
  const without = testHost({ env: { PATH: '/nowhere' } })
  await expect(helmProgram(without, { machine, version: 'preinstalled' })).rejects.toMatchObject({
    code: 'TOOL_MISSING',
  })
})
