import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { recordFault } from '../support/fault-results.ts'
import { runBundle } from './run-bundle.ts'
import { mark, placesOf, watchPrograms } from './secret-places.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-secrets-'))
const tokensSeen: string[] = []
let server: Server
let kubeconfig: string

beforeAll(async () => {
  server = createServer((request, response) => {
    tokensSeen.push(request.headers.authorization ?? '')
    response.writeHead(401, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ kind: 'Status', status: 'Failure', code: 401, message: 'Unauthorized' }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  kubeconfig = `apiVersion: v1
kind: Config
current-context: demo
contexts: [{name: demo, context: {cluster: demo, user: demo}}]
clusters: [{name: demo, cluster: {server: 'http://127.0.0.1:${(server.address() as AddressInfo).port}', insecure-skip-tls-verify: true}}]
users: [{name: demo, user: {token: ${mark}-token}}]
`
  writeFileSync(path.join(folder, 'kubeconfig'), kubeconfig)
})

afterAll(() => server.close())

/** A Docker that stays for a moment, so that it is seen, and then has nothing. */
const slowDocker = 'setTimeout(() => { console.error("no engine here"); process.exit(1) }, 300)'

test.each([
  [
    'kubeconfig with a token, by its path',
    'assert',
    () => ({ kubeconfig: path.join(folder, 'kubeconfig'), 'report-dir': 'reports' }),
  ],
  ['content of a kubeconfig where its path belongs', 'assert', () => ({ kubeconfig })],
  ['kubeconfig as JSON where its path belongs', 'deploy-voting-app', () => ({ kubeconfig: `{"token":"${mark}"}` })],
  [
    'password in registry-mirror',
    'setup-cluster',
    () => ({ 'registry-mirror': `https://user:${mark}@mirror.example.com` }),
  ],
  [
    'password in an unusable registry-mirror',
    'setup-cluster',
    () => ({ 'registry-mirror': `ftp://user:${mark}@mirror.example.com` }),
  ],
  [
    'password in download-base-url',
    'setup-cluster',
    () => ({ 'download-base-url': `https://user:${mark}@mirror.example.com` }),
  ],
  [
    'content of a values file where its path belongs',
    'deploy-voting-app',
    () => ({ values: `postgres:\n  password: ${mark}` }),
  ],
  ['content of a spec where its path belongs', 'platform', () => ({ spec: `apiVersion: k8s-platform/v1\nx: ${mark}` })],
  ['an input that its programs have no use for', 'setup-cluster', () => ({ 'job-status': mark })],
] as const)('%s is nowhere afterwards', async (what, action, inputs) => {
  const programs = new Set<string>()
  const run = await runBundle(action, {
    inputs: inputs(),
    programs: { docker: slowDocker },
    onStart: watchPrograms(programs),
    env: { RUNNER_DEBUG: '1' },
  })
  const found = placesOf(run, [...programs])
  recordFault({
    section: 'input',
    fault: `secret: ${what}`,
    expected: 'in no log, output, state, summary, report, file or program',
    seen: found.length === 0 ? 'in no log, output, state, summary, report, file or program' : `in ${found.join(', ')}`,
    held: found.length === 0 && run.code === 1,
  })
  expect(found).toEqual([])
  expect(run.code).toBe(1)
  if (action === 'assert' && what.endsWith('by its path')) expect(tokensSeen).toContain(`Bearer ${mark}-token`)
  if (what.startsWith('an input')) expect([...programs].some((text) => text.startsWith('environ'))).toBe(true)
})

test('the search finds a secret in a program, in a file and in the log', async () => {
  const programs = new Set<string>()
  const run = await runBundle('teardown', {
    inputs: { 'cluster-name': 'demo' },
    env: { PLANTED: mark },
    programs: {
      docker: `require('node:fs').writeFileSync(process.env.HOME + '/file', process.env.PLANTED); setTimeout(() => { console.error(process.env.PLANTED); process.exit(1) }, 300)`,
    },
    onStart: watchPrograms(programs),
  })
  const found = placesOf(run, [...programs]).join('\n')
  expect(found).toContain('the log')
  expect(found).toContain('home/file')
  expect(found).toContain('a program: environ')
})
