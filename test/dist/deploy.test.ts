import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeApiServer } from '../support/fake-api-server.ts'
import { type BundleRun, runBundle } from './run-bundle.ts'

let server: FakeApiServer
let kubeconfig: string

beforeEach(async () => {
  server = new FakeApiServer()
  await server.start()
  kubeconfig = path.join(mkdtempSync(path.join(tmpdir(), 'k8s-platform-deploy-')), 'kubeconfig')
  writeFileSync(kubeconfig, server.kubeconfig())
})
afterEach(() => server.stop())

const manifests = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {title: web}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: ClusterIP, ports: [{port: 80}]}
`

function deploy(text: string, inputs: Readonly<Record<string, string>> = {}): Promise<BundleRun> {
  const given = { kubeconfig, manifests: 'app.yaml', namespace: 'shop', ...inputs }
  return runBundle('deploy', { inputs: given, workspace: { 'app.yaml': text } })
}

test('dist/deploy.js applies what differs, and a second run has nothing to do', async () => {
  const first = await deploy(manifests)
  expect(first.code, first.stdout).toBe(0)
  expect(first.outputs).toMatchObject({ revision: '1', changed: 'true', release: 'app', namespace: 'shop', urls: '[]' })
  expect(JSON.parse(first.outputs['objects'] ?? '')).toMatchObject([
    { kind: 'ConfigMap', name: 'settings', change: 'create' },
    { kind: 'Service', name: 'web', change: 'create' },
  ])
  server.writes.length = 0
  const second = await deploy(manifests)
  expect(second.code, second.stdout).toBe(0)
  expect(second.outputs).toMatchObject({ revision: '1', changed: 'false' })
  expect(server.writes.filter((write) => !write.endsWith('(dry run)'))).toEqual([])
})

test('dist/deploy.js leaves nothing of what the server refuses', async () => {
  server.refuse = ({ kind }) => (kind === 'Service' ? 'no such port' : undefined)
  const run = await deploy(manifests)
  expect(run.code).toBe(1)
  const errors = run.commands.filter(({ name }) => name === 'error')
  expect(errors).toHaveLength(1)
  expect(errors[0]?.message).toMatch(/app\.yaml:\d+ .* Service web is refused: no such port/)
  expect([...server.objects.keys()]).toEqual([])
})

test('dist/deploy.js asks the cluster for nothing while something is wrong on this side', async () => {
  const run = await deploy('kind: ConfigMap\n', { images: 'nginx=shop/web:ci' })
  expect(run.code).toBe(1)
  expect(run.commands.filter(({ name }) => name === 'error')[0]?.message).toContain('has no apiVersion')
  expect(server.requests).toBe(0)
})
