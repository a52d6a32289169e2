import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/process/wait.ts'
import { type CliRun, runCli } from '../support/cli.ts'
import { type BrokenName, sample } from '../support/deploy/broken-apps.ts'
import { brokenGone, startBroken } from '../support/deploy/run-broken.ts'
import { type DrillCluster, drillCluster } from './cluster-fixture.ts'

const namespace = 'kp-deploy'
const port = { name: 'http', port: 80, targetPort: 8080 }
const web = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'web' }
const service = { apiVersion: 'v1', kind: 'Service', namespace, name: 'web' }

let cluster: DrillCluster
let runs: Map<BrokenName, Promise<void>>
let folder: string

beforeAll(async () => {
  cluster = await drillCluster()
  runs = startBroken(cluster, sample)
  folder = path.join(cluster.host.paths.temp, 'shop')
  mkdirSync(folder, { recursive: true })
  write('web.yaml', manifest('web'))
  write('kustomization.yaml', 'resources: [web.yaml]\nlabels: [{pairs: {tier: front}}]\n')
})
afterAll(async () => {
  await Promise.allSettled(runs.values())
  await cluster.kubernetes.delete({ apiVersion: 'v1', kind: 'Namespace', name: namespace })
  await brokenGone(cluster)
  await cluster.kubernetes.until(
    'end of the namespace',
    { apiVersion: 'v1', kind: 'Namespace' },
    {},
    {
      timeoutMs: 60_000,
      done: (seen) => !seen.some(({ metadata }) => metadata.name === namespace),
      explain: () => 'still ending',
    },
  )
})

describe('deploy', () => {
  it('renders a kustomization, applies it, waits for it, and tells where to reach it', async () => {
    const run = await deploy()
    expect(run.code, run.log).toBe(0)
    expect(run.stdout).toMatch(/release shop in kp-deploy, revision 1: 3 created/)
    const url = /^(http:\/\/\S+) {2}Service kp-deploy\/web http$/m.exec(run.stdout)?.[1] ?? ''
    // kube-proxy learns of a Service a moment after it is accepted.
    const answer = await waitFor(cluster.host, url, async (signal) => (await fetch(url, { signal })).text(), {
      timeoutMs: 15_000,
      done: (text) => text === 'web',
      explain: (text) => text,
    })
    expect(answer).toBe('web')
  })

  it('puts right what was deleted and edited in between, and then has nothing to do', async () => {
    await cluster.kubernetes.delete(web)
    await cluster.kubernetes.patch(service, { spec: { selector: { app: 'wrong' } } })
    await cluster.kubernetes.patch({ ...service, kind: 'ConfigMap', name: 'settings' }, { data: { title: 'edited' } })
    const run = await deploy()
    expect(run.code, run.log).toBe(0)
    expect(run.log).toMatch(/changed since the last deployment, put right now: .*Deployment kp-deploy\/web \(deleted\)/)
    expect(run.stdout).toMatch(/revision 2: 2 changed, 1 created/)
    const again = await deploy()
    expect(again.stdout).toMatch(/revision 2: nothing to do: 3 unchanged/)
  })

  it('is refused as a whole where one object is, and changes nothing', async () => {
    write(
      'web.yaml',
      `${manifest('other')}---\napiVersion: v1\nkind: Service\nmetadata: {name: Upper}\nspec: {ports: [{port: 80}]}\n`,
    )
    const run = await deploy()
    expect(run.code).toBe(2)
    expect(run.log).toMatch(/Service Upper is refused: .*must consist of lower case/)
    const settings = await cluster.kubernetes.get({ ...service, kind: 'ConfigMap', name: 'settings' })
    expect(settings?.['data']).toEqual({ title: 'web' })
  })
})

describe('a deployment that cannot become ready says why', () => {
  it.each([...sample])('%s', async (name) => runs.get(name))
})

function deploy(...more: string[]): Promise<CliRun> {
  const kubeconfig = cluster.kubeconfig
  return runCli(['deploy', '--kubeconfig', kubeconfig, '--kustomize', folder, '--namespace', namespace, ...more])
}

function write(name: string, text: string): void {
  writeFileSync(path.join(folder, name), text)
}

function manifest(title: string): string {
  const objects = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { title } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { type: 'NodePort', selector: { app: 'web' }, ports: [port] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [
              {
                name: 'web',
                image: 'docker.io/library/node:24-bookworm-slim',
                command: [
                  'node',
                  '-e',
                  'require("http").createServer((q, r) => r.end(process.env.TITLE)).listen(8080)',
                ],
                env: [{ name: 'TITLE', valueFrom: { configMapKeyRef: { name: 'settings', key: 'title' } } }],
                readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    },
  ]
  return `${objects.map((object) => JSON.stringify(object)).join('\n---\n')}\n`
}
