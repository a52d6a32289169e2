import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { urlResolver } from '../../../src/deploy/node-port-urls.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { InputError } from '../../../src/process/errors.ts'
import type { Host } from '../../../src/process/host.ts'
import { deployVotingApp, type VotingAppDeployment, type VotingAppOptions } from '../../../src/voting-app/deploy.ts'
import { plannedUrls, readUserValues } from '../../../src/voting-app/values.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { recordingLogger, repository, testHost } from '../../support/test-host.ts'
import { FakeCluster } from '../deploy/fake-kubernetes.ts'
import { helmRecord } from '../deploy/helm-record-fixture.ts'

const node: KubeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'demo-control-plane' },
  status: {
    addresses: [
      { type: 'Hostname', address: 'demo-control-plane' },
      { type: 'InternalIP', address: '172.18.0.2' },
    ],
  },
}
const hostPorts: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'k8s-platform-host-ports', namespace: 'kube-system' },
  data: { '30080': '127.0.0.1:41234', '30081': '127.0.0.1:41235' },
}

const service = (name: string, nodePort: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'polls' },
  spec: { type: 'NodePort', ports: [{ nodePort }] },
})
const workload: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'vote', namespace: 'polls' },
  spec: { replicas: 0 },
}
const released = [service('vote-service', 30080), service('result-service', 30081), workload]
const digest = `sha256:${'a'.repeat(64)}`
const image = (name: string): { repository: string; digest: string } => ({ repository: `ghcr.io/org/${name}`, digest })
const published = {
  from: 'published',
  references: { vote: image('vote'), worker: image('worker'), result: image('result') },
} as const

/** Helm, as far as the cluster can tell: takes the values, puts the objects and its record. */
function world(): { cluster: FakeCluster; host: Host; values: string[]; calls: string[]; log: string[] } {
  const cluster = new FakeCluster().put(node, hostPorts)
  const values: string[] = []
  const log = recordingLogger()
  const exec = scriptedExec([
    [
      /^\/tools\/helm upgrade/,
      (line, options) => {
        values.push(String(options.input))
        const manifest = released.map((object) => JSON.stringify(object)).join('\n---\n')
        cluster.put(...released)
        const inputs = /k8s-platform\.inputs=(\w+)/.exec(line)?.[1] ?? ''
        const version = values.length
        const labels = { 'k8s-platform.inputs': inputs }
        cluster.put(helmRecord({ release: 'voting-app', namespace: 'polls', revision: version, manifest, labels }))
        return JSON.stringify({ name: 'voting-app', version, manifest, info: { status: 'deployed' } })
      },
    ],
  ])
  return { cluster, host: testHost({ exec, log }), values, calls: exec.calls, log: log.lines }
}

const options: VotingAppOptions = {
  kubeconfig: '/tmp/kubeconfig',
  namespace: 'polls',
  images: 'published',
  imageSource: 'registry',
  prepared: Promise.resolve(published),
  timeoutMs: 5_000,
  helm: '/tools/helm',
}

function deploy({ cluster, host }: { cluster: FakeCluster; host: Host }, overrides = {}): Promise<VotingAppDeployment> {
  return deployVotingApp(host, { ...options, ...overrides }, async ({ signal }) => cluster.client(signal))
}

describe('deploying the voting app', () => {
  it('gives the URLs by which this machine reaches the pages, and the pages each other', async () => {
    const polls = world()
    expect(await deploy(polls)).toEqual({
      voteUrl: 'http://127.0.0.1:41234',
      resultUrl: 'http://127.0.0.1:41235',
      namespace: 'polls',
      revision: 1,
      changed: true,
    })
    expect(JSON.parse(polls.values[0] ?? '')).toEqual({
      vote: { image: { repository: 'ghcr.io/org/vote', tag: '', digest }, resultUrl: 'http://127.0.0.1:41235' },
      worker: { image: { repository: 'ghcr.io/org/worker', tag: '', digest } },
      result: { image: { repository: 'ghcr.io/org/result', tag: '', digest }, voteUrl: 'http://127.0.0.1:41234' },
    })
    expect(polls.cluster.objects.get('Namespace//polls')?.metadata.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'restricted',
    })
  })

  it('changes nothing the second time', async () => {
    const polls = world()
    await deploy(polls)
    const writes = [...polls.cluster.writes]
    expect(await deploy(polls)).toMatchObject({ revision: 1, changed: false, voteUrl: 'http://127.0.0.1:41234' })
    expect(polls.values).toHaveLength(1)
    expect(polls.cluster.writes).toEqual(writes)
  })

  it('puts right what was deleted meanwhile', async () => {
    const polls = world()
    await deploy(polls)
    polls.cluster.remove({ kind: 'Deployment', namespace: 'polls', name: 'vote' })
    expect(await deploy(polls)).toMatchObject({ revision: 2, changed: true })
    expect(polls.log).toContain('notice: changed since the last deployment, put right now: Deployment polls/vote')
    expect(polls.cluster.objects.has('Deployment/polls/vote')).toBe(true)
  })

  it('waits for the end of what is being deleted before it is made anew', async () => {
    const polls = world()
    await deploy(polls)
    const deletionTimestamp = '2026-11-21T10:00:00Z'
    polls.cluster.put({ ...workload, metadata: { ...workload.metadata, uid: 'old', deletionTimestamp } })
    const again = deploy(polls)
    setTimeout(() => polls.cluster.remove({ kind: 'Deployment', namespace: 'polls', name: 'vote' }), 50)
    expect(await again).toMatchObject({ revision: 2, changed: true })
    expect(polls.cluster.objects.get('Deployment/polls/vote')?.metadata).not.toHaveProperty('deletionTimestamp')
  })

  it('deploys anew for other values', async () => {
    const polls = world()
    await deploy(polls)
    mkdirSync(polls.host.paths.temp, { recursive: true })
    const valuesFile = path.join(polls.host.paths.temp, 'values.yaml')
    writeFileSync(valuesFile, 'vote: {replicas: 3}\n')
    expect(await deploy(polls, { valuesFile })).toMatchObject({ revision: 2, changed: true })
    expect(polls.calls.at(-1)).toContain(`--values=- --values=${valuesFile}`)
  })

  it('leaves no namespace behind that it has made when Helm refuses, and one that was there as it was', async () => {
    for (const there of [false, true]) {
      const { cluster } = world()
      if (there) cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'polls' } })
      const exec = scriptedExec([[/helm upgrade/, { exitCode: 1, stderr: 'Error: refused' }]])
      await expect(deploy({ cluster, host: testHost({ exec }) })).rejects.toThrow('refused')
      expect(cluster.writes, String(there)).toEqual(there ? [] : ['create Namespace//polls', 'delete Namespace//polls'])
    }
  })

  it('says which values file it cannot read before it does anything', async () => {
    const polls = world()
    await expect(deploy(polls, { valuesFile: '/nowhere.yaml' })).rejects.toThrow(
      'values (got "/nowhere.yaml") cannot be read: ENOENT',
    )
    expect(polls.calls).toEqual([])
  })
})

describe('URLs', () => {
  it("are a node's own address where no host port is mapped, and none where nothing is exposed", async () => {
    const urlOf = await urlResolver(new FakeCluster().put(node).client())
    expect(urlOf({ type: 'NodePort', nodePort: 30080 })).toBe('http://172.18.0.2:30080')
    expect(urlOf({ type: 'ClusterIP' })).toBeUndefined()
    expect(urlOf({ type: 'NodePort', nodePort: null })).toBeUndefined()
  })

  it("are planned from the chart's defaults and the user's values together", async () => {
    const chart = path.join(repository, 'charts', 'voting-app')
    const urlOf = await urlResolver(new FakeCluster().put(node).client())
    const user = (content: Record<string, unknown>): Parameters<typeof plannedUrls>[1] => ({
      file: 'x',
      text: '',
      content,
    })
    expect(await plannedUrls(chart, undefined, urlOf)).toEqual({
      vote: 'http://172.18.0.2:30080',
      result: 'http://172.18.0.2:30081',
    })
    const changed = user({ vote: { service: { nodePort: 31000 } }, result: { service: { type: 'ClusterIP' } } })
    expect(await plannedUrls(chart, changed, urlOf)).toEqual({ vote: 'http://172.18.0.2:31000' })
  })
})

describe("a user's values", () => {
  it.each([
    ['a: [', 'is not YAML'],
    ['- a', 'is not a mapping'],
  ])('must be a YAML mapping: %s', async (text, problem) => {
    const host = testHost()
    mkdirSync(host.paths.temp, { recursive: true })
    const file = path.join(host.paths.temp, 'values.yaml')
    writeFileSync(file, text)
    const error = await readUserValues(file).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(InputError)
    expect((error as InputError).message).toContain(problem)
  })
})
