import { describe, expect, it } from 'vitest'
import { deployedUrls } from '../../../src/deploy/deployed-urls.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { recordingLogger } from '../../support/test-host.ts'
import { FakeCluster } from './fake-kubernetes.ts'

const service = (name: string, spec: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec,
})
const inner = service('inner', { type: 'ClusterIP', ports: [{ port: 80 }] })
const outer = service('outer', { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] })
const node: KubeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node' },
  status: { addresses: [{ type: 'InternalIP', address: '172.18.0.2' }] },
}

describe('addresses of what is deployed', () => {
  it('are asked for only where something is reached from outside', async () => {
    const cluster = new FakeCluster().put(inner, outer, node)
    const log = recordingLogger()
    expect(await deployedUrls({ log }, cluster.client(), [inner])).toEqual([])
    expect(cluster.calls).toEqual([])
    expect(await deployedUrls({ log }, cluster.client(), [inner, outer])).toEqual([
      { object: 'Service shop/outer', port: '80', url: 'http://172.18.0.2:30080' },
    ])
  })

  it('are not told, with the reason, to a user who may not list nodes', async () => {
    const cluster = new FakeCluster().put(outer, node)
    cluster.denied.add('list Node')
    const log = recordingLogger()
    expect(await deployedUrls({ log }, cluster.client(), [outer])).toEqual([])
    expect(log.lines).toEqual(['notice: no URL is told for NodePorts: cannot list Node'])
  })
})
