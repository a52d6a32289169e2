import { describe, expect, it } from 'vitest'
import { deploy as deployAny } from '../../../src/deploy/deploy.ts'
import { deployChart } from '../../../src/deploy/deploy-chart.ts'
import { ApiError } from '../../../src/kubernetes/api-error.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { isMapping } from '../../../src/process/is-mapping.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'
import { FakeCluster } from './fake-kubernetes.ts'
import { helmRecord } from './helm-record-fixture.ts'

const annotation = 'k8s-platform/image-content'
const began = '2026-11-21T10:00:00Z'
const long = '2026-11-21T09:00:00Z'

type Loaded = Readonly<Record<string, string>>

function workload(kind: string, name: string, image: string): KubeObject {
  const template = { spec: { containers: [{ name: 'web', image }] } }
  const spec = kind === 'CronJob' ? { jobTemplate: { spec: { template } } } : { template }
  const apiVersion = kind.endsWith('Job') ? 'batch/v1' : 'apps/v1'
  return { apiVersion, kind, metadata: { name, namespace: 'shop' }, spec }
}

const own = workload('Deployment', 'own', 'shop/web:1')
const other = workload('Deployment', 'other', 'nginx:1')

function merged<T>(base: T, over: T): T {
  if (!isMapping(base) || !isMapping(over)) return over
  const entries = Object.entries(over).map(([key, value]) => [key, merged(base[key], value)])
  return { ...base, ...Object.fromEntries(entries) }
}

/** A server that merges what is applied and counts generations, and a helm that leaves alone what its manifest does not mention. */
function world(manifests: readonly KubeObject[] = [own, other]) {
  const cluster = new FakeCluster().put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
  cluster.writable = true
  cluster.admit = (applied, live = applied) => {
    const object = merged(live, applied)
    if (JSON.stringify(object['spec']) === JSON.stringify(live['spec'])) return object
    if (object.kind === 'Job') throw new ApiError('apply Job', 422, 'Invalid', 'spec.template: field is immutable')
    return { ...object, metadata: { ...object.metadata, generation: (live.metadata.generation ?? 0) + 1 } }
  }
  const log = recordingLogger()
  const exec = scriptedExec([
    [
      /helm upgrade/,
      (line) => {
        for (const object of manifests) cluster.put(merged(liveOf(cluster, object) ?? made(object, began), object))
        const manifest = manifests.map((object) => JSON.stringify(object)).join('\n---\n')
        const version = exec.calls.length
        cluster.put(recordOf(version, manifest, /k8s-platform\.inputs=(\w+)/.exec(line)?.[1] ?? ''))
        return JSON.stringify({ name: 'app', version, manifest, info: { status: 'deployed' } })
      },
    ],
  ])
  const clock = { now: async () => new Date(began) }
  const host = testHost({ exec, log })
  const client = () => ({ ...cluster.client(), serverTime: () => clock.now() })
  const helm = async () => '/tools/helm'
  const deploy = (digests: Loaded, setValues = {}) =>
    deployChart(host, client(), {
      ...request,
      setValues,
      kubeconfig: '/kubeconfig',
      content: { kind: 'chart', chart, texts: [] },
      digests: new Map(Object.entries(digests)),
      helm,
      connect: async (signal) => cluster.client(signal),
    })
  const deployWhole = (digest: string) =>
    deployAny(
      host,
      { ...request, source: chart, images: [{ image: 'shop/web:1' }] },
      {
        cluster: async () => ({ kubeconfig: '/kubeconfig' }),
        helm,
        kubectl: helm,
        loadImages: async () => [{ image: 'docker.io/shop/web:1', digest, how: 'registry', nodes: ['n'], ms: 1 }],
        connect: async () => client(),
      },
    )
  return { cluster, deploy, deployWhole, clock, runs: exec.calls, log: log.lines }
}

const chart = { kind: 'chart', chart: 'oci://registry.example.com/app', version: '1.0.0' } as const
const request = {
  release: 'app',
  namespace: { name: 'shop', given: true },
  createNamespace: false,
  valuesFiles: [],
  setValues: {},
  secretVariables: [],
  prune: false,
  forceConflicts: false,
  dryRun: false,
  timeoutMs: 60_000,
}

function made(object: KubeObject, creationTimestamp: string): KubeObject {
  const { metadata } = object
  return { ...object, metadata: { ...metadata, uid: `uid of ${metadata.name}`, creationTimestamp, generation: 1 } }
}

function recordOf(revision: number, manifest: string, inputs: string): KubeObject {
  return helmRecord({
    release: 'app',
    namespace: 'shop',
    revision,
    manifest,
    labels: { 'k8s-platform.inputs': inputs },
  })
}

function liveOf(cluster: FakeCluster, { kind, metadata }: KubeObject): KubeObject | undefined {
  return cluster.objects.get(`${kind}/${metadata.namespace}/${metadata.name}`)
}

/** What stands on the object, and what on its pods. */
function noted(cluster: FakeCluster, object: KubeObject): { object?: string; pods?: string } {
  const live = liveOf(cluster, object)
  const spec = live?.['spec']
  const template = (live?.kind === 'CronJob' ? spec.jobTemplate.spec : spec)?.template
  return { object: live?.metadata.annotations?.[annotation], pods: template?.metadata?.annotations?.[annotation] } as {
    object?: string
    pods?: string
  }
}

const first = { 'docker.io/shop/web:1': 'sha256:aa' }
const second = { 'docker.io/shop/web:1': 'sha256:bb' }

describe('a chart that runs an image of the job', () => {
  it('starts its pods once when it is new, and nothing changes the second time', async () => {
    const { cluster, deploy, runs } = world()
    expect(await deploy(first)).toMatchObject({ changed: true, objects: [{ change: 'create' }, { change: 'create' }] })
    expect(noted(cluster, own)).toEqual({ object: 'sha256:aa', pods: undefined })
    expect(noted(cluster, other)).toEqual({ object: undefined, pods: undefined })
    const writes = [...cluster.writes]
    expect(await deploy(first)).toMatchObject({ changed: false, revision: 1 })
    expect(cluster.writes).toEqual(writes)
    expect(runs).toHaveLength(1)
  })

  it('rolls out another content under the same tag, nothing else, and is waited for at that generation', async () => {
    const { cluster, deploy, runs, log } = world()
    await deploy(first)
    const { changed, objects } = await deploy(second)
    expect(changed).toBe(true)
    expect(objects.map(({ object, change }) => [object.metadata.name, object.metadata.generation, change])).toEqual([
      ['own', 2, 'change'],
      ['other', 1, 'unchanged'],
    ])
    expect(noted(cluster, own)).toEqual({ object: 'sha256:bb', pods: 'sha256:bb' })
    expect(await deploy(second)).toMatchObject({ changed: false, revision: 2 })
    expect(runs).toHaveLength(2)
    // Nobody has edited anything.
    expect(log.join()).not.toContain('put right')
  })

  it('is left alone where something else of the chart changes', async () => {
    const { cluster, deploy } = world()
    await deploy(first)
    expect(await deploy(first, { title: 'Shop' })).toMatchObject({
      revision: 2,
      objects: [{ change: 'unchanged' }, {}],
    })
    expect(noted(cluster, own)).toEqual({ object: 'sha256:aa', pods: undefined })
  })

  it('gets the digests of what `deploy` has loaded', async () => {
    const nightly = workload('CronJob', 'nightly', 'shop/web:1')
    const { cluster, deployWhole } = world([nightly])
    await deployWhole('sha256:aa')
    expect(await deployWhole('sha256:aa')).toMatchObject({ changed: false })
    expect(await deployWhole('sha256:bb')).toMatchObject({ changed: true, revision: 2 })
    expect(noted(cluster, nightly)).toEqual({ object: 'sha256:bb', pods: 'sha256:bb' })
  })

  it('rolls out where a run ended between Helm and the note, and says that it is put right', async () => {
    const { cluster, deploy, log } = world()
    cluster.denied.add('patch Deployment')
    await expect(deploy(first)).rejects.toMatchObject({ code: 'APPLY_FAILED' })
    cluster.denied.clear()
    cluster.put(made(own, long))
    expect(await deploy(first)).toMatchObject({ changed: true })
    expect(noted(cluster, own).pods).toBe('sha256:aa')
    expect(log).toContain('notice: changed since the last deployment, put right now: Deployment shop/own')
  })

  it('takes for new only what is: not what no record tells of, nor anything where the server has no clock', async () => {
    const { cluster, deploy } = world()
    cluster.put(made(own, long))
    await deploy(first)
    expect(noted(cluster, own).pods).toBe('sha256:aa')
    const blind = world()
    blind.clock.now = () => Promise.reject(new Error('no date'))
    await blind.deploy(first)
    expect(noted(blind.cluster, own).pods).toBe('sha256:aa')
    // Within the second in which the next run began.
    const quick = world()
    await quick.deploy(first)
    await quick.deploy(second)
    expect(noted(quick.cluster, own).pods).toBe('sha256:bb')
  })

  it('is red where the new content cannot be rolled out, until that is deleted', async () => {
    const job = workload('Job', 'migrate', 'shop/web:1')
    const { cluster, deploy } = world([job])
    await deploy(first)
    for (const _again of [1, 2]) {
      await expect(deploy(second)).rejects.toThrow(
        'Job shop/migrate was not made for the content that its image has now, and cannot be rolled out: spec.template: field is immutable',
      )
    }
    cluster.remove({ kind: 'Job', namespace: 'shop', name: 'migrate' })
    expect(await deploy(second)).toMatchObject({ changed: true, objects: [{ change: 'create' }] })
    expect(noted(cluster, job)).toEqual({ object: 'sha256:bb', pods: undefined })
  })

  it('says it on the pods of the jobs that a CronJob will make', async () => {
    const nightly = workload('CronJob', 'nightly', 'shop/web:1')
    const { cluster, deploy } = world([nightly])
    await deploy(first)
    await deploy(second)
    expect(noted(cluster, nightly)).toEqual({ object: 'sha256:bb', pods: 'sha256:bb' })
  })
})
