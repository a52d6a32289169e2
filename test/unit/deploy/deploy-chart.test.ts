import { describe, expect, it } from 'vitest'
import { type ChartRequest, deployChart } from '../../../src/deploy/deploy-chart.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'
import { FakeCluster } from './fake-kubernetes.ts'
import { helmRecord } from './helm-record-fixture.ts'

const config = (name: string, x: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'shop' },
  data: { x },
})

function record(revision: number, objects: readonly KubeObject[], status = 'deployed'): KubeObject {
  const manifest = objects.map((object) => JSON.stringify(object)).join('\n---\n')
  return helmRecord({ release: 'app', namespace: 'shop', revision, manifest, status })
}

function request(cluster: FakeCluster): ChartRequest {
  const chart = 'oci://registry.example.com/app'
  return {
    kubeconfig: '/kubeconfig',
    content: { kind: 'chart', chart: { kind: 'chart', chart, version: '1.0.0' }, texts: [] },
    release: 'app',
    namespace: { name: 'shop' },
    createNamespace: true,
    valuesFiles: [],
    setValues: {},
    dryRun: false,
    timeoutMs: 60_000,
    helm: async () => '/tools/helm',
    connect: async (signal) => cluster.client(signal),
  }
}

/** A helm that writes these objects. */
function helm(cluster: FakeCluster, objects: readonly KubeObject[]) {
  return testHost({
    exec: scriptedExec([
      [
        /helm upgrade/,
        () => {
          cluster.put(...objects)
          const manifest = objects.map((object) => JSON.stringify(object)).join('\n---\n')
          return JSON.stringify({ name: 'app', version: 2, manifest, info: { status: 'deployed' } })
        },
      ],
    ]),
  })
}

describe('a chart', () => {
  it('is told object by object: made, changed or as it was', async () => {
    const former = [config('same', '1'), config('other', '1')]
    const cluster = new FakeCluster().put(record(1, former), ...former)
    const host = helm(cluster, [config('same', '1'), config('other', '2'), config('new', '1')])
    const { objects } = await deployChart(host, cluster.client(), request(cluster))
    expect(objects.map(({ object, change }) => [object.metadata.name, change])).toEqual([
      ['same', 'unchanged'],
      ['other', 'change'],
      ['new', 'create'],
    ])
  })

  it('that Helm has not begun leaves no namespace behind; one that it has begun keeps its own', async () => {
    for (const begun of [false, true]) {
      const cluster = new FakeCluster()
      const host = testHost({
        exec: scriptedExec([
          [
            /helm upgrade/,
            () => {
              if (begun) cluster.put(record(1, [], 'failed'))
              return { exitCode: 1, stderr: 'Error: refused' }
            },
          ],
        ]),
      })
      await expect(deployChart(host, cluster.client(), request(cluster))).rejects.toThrow('refused')
      expect(cluster.writes, String(begun)).toEqual([
        'create Namespace//shop',
        ...(begun ? [] : ['delete Namespace//shop']),
      ])
    }
  })

  it('has one deadline for all that is waited for before and by Helm', async () => {
    const now = Math.floor(Date.now() / 1_000)
    const pending = record(1, [], 'pending-upgrade')
    const cluster = new FakeCluster().put({
      ...pending,
      metadata: { ...pending.metadata, labels: { ...pending.metadata.labels, modifiedAt: String(now) } },
    })
    const host = helm(cluster, [])
    await expect(deployChart(host, cluster.client(), { ...request(cluster), timeoutMs: 30 })).rejects.toThrow(
      'another Helm operation on release app is going on',
    )
  })
})
