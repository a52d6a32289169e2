import { describe, expect, it } from 'vitest'
import { nodeChecks } from '../../../src/assert/suites/nodes.ts'
import { platformApiChecks } from '../../../src/assert/suites/platform-apis.ts'
import { workloadChecks } from '../../../src/assert/suites/workloads.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import type { CheckRecord } from '../../../src/report/record.ts'
import { expectRed } from './expect-red.ts'
import { deployment, fakeFleet, fakeKubernetes, object, pod, suiteEnvironment } from './fake-kubernetes.ts'
import { one } from './run-one.ts'

const now = new Date('2026-11-21T11:00:00Z')
const ago = (seconds: number): string => new Date(now.getTime() - seconds * 1000).toISOString()

const node = (name: string, rest: { ready?: string; spec?: object; message?: string } = {}): KubeObject =>
  object('v1', 'Node', name, {
    spec: rest.spec ?? {},
    status: {
      nodeInfo: { kubeletVersion: 'v1.34.3' },
      conditions: [{ type: 'Ready', status: rest.ready ?? 'True', message: rest.message ?? 'ok' }],
    },
  })
const lease = (name: string, seconds: number): KubeObject =>
  object('coordination.k8s.io/v1', 'Lease', name, {
    metadata: { namespace: 'kube-node-lease' },
    spec: { renewTime: ago(seconds) },
  })

describe('R1.nodes', () => {
  const run = (nodes: readonly KubeObject[], expected?: number): Promise<CheckRecord> =>
    one(
      nodeChecks(
        suiteEnvironment(fakeKubernetes(nodes), { expected: expected === undefined ? {} : { nodes: expected } }),
      ),
      'R1.nodes',
    )

  it('is green for the number there must be, with the version seen', async () => {
    expect(await run([node('a'), node('b')], 2)).toMatchObject({
      verdict: 'pass',
      reason: '2 of 2 nodes Ready (v1.34.3)',
    })
  })

  it.each([
    ['none', [], undefined, 'the cluster has no nodes'],
    ['too few', [node('a')], 4, '1 nodes instead of 4'],
    [
      'not Ready',
      [node('a', { ready: 'False', message: 'cni plugin not initialized' })],
      1,
      'a Ready is False: cni plugin not initialized',
    ],
    ['cordoned', [node('a', { spec: { unschedulable: true } })], 1, 'a is cordoned'],
    [
      'tainted',
      [node('a', { spec: { taints: [{ key: 'node.kubernetes.io/disk-pressure', effect: 'NoSchedule' }] } })],
      1,
      'a is tainted node.kubernetes.io/disk-pressure:NoSchedule',
    ],
  ])('is red for nodes: %s', async (_what, nodes, expected, reason) => {
    expect(await run(nodes, expected)).toMatchObject({ verdict: 'fail', reason })
  })

  it('leaves taints of the user alone', async () => {
    const taints = [
      { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' },
      { key: 'gpu', effect: 'NoExecute' },
    ]
    expect((await run([node('a', { spec: { taints } })])).verdict).toBe('pass')
  })
})

describe('R1.nodes-at-end', () => {
  it('is red for a node that went after the first look', async () => {
    const kubernetes = fakeKubernetes([node('a'), lease('a', 1)], { now })
    const checks = nodeChecks(suiteEnvironment(kubernetes))
    expect((await one(checks, 'R1.nodes-at-end')).verdict).toBe('pass')
    kubernetes.objects = [node('a', { ready: 'Unknown' }), lease('a', 1)]
    expectRed(await one(checks, 'R1.nodes-at-end'), {
      turnsRed: 'R1.nodes-at-end',
      reason: /^a Ready is Unknown \(the kubelet stopped reporting\): ok$/,
    })
    kubernetes.objects = [node('a'), lease('a', 60)]
    expect((await one(checks, 'R1.nodes-at-end')).reason).toMatch(/^a renewed its lease 60 s ago and not within/)
  })
})

describe('R1.lease', () => {
  const run = (leases: readonly KubeObject[]): Promise<CheckRecord> =>
    one(nodeChecks(suiteEnvironment(fakeKubernetes([node('a'), ...leases], { now }))), 'R1.lease')

  it('compares with the API server’s clock', async () => {
    expect(await run([lease('a', 8)])).toMatchObject({ verdict: 'pass', reason: 'the oldest lease is 8.0 s old' })
    expect((await run([lease('a', 40)])).reason).toMatch(/^a renewed its lease 40 s ago and not within/)
    expect((await run([])).reason).toBe('a has no lease')
    expect((await run([lease('a', -60)])).verdict).toBe('fail')
  })
})

describe('R1.probes', () => {
  it('is red for each node without an answer, and inconclusive without any', async () => {
    const run = (nodes: string[], missing: { node: string; reason: string }[]): Promise<CheckRecord> => {
      const fleet = async () => fakeFleet(nodes, () => ({ dial: 'connected' }), missing)
      return one(nodeChecks(suiteEnvironment(fakeKubernetes([]), { fleet })), 'R1.probes')
    }
    expect(await run(['a', 'b'], [])).toMatchObject({ verdict: 'pass', reason: '2 of 2 nodes answered' })
    expect(await run(['a'], [{ node: 'b', reason: 'ErrImagePull' }])).toMatchObject({
      verdict: 'fail',
      reason: 'b: ErrImagePull',
    })
    expect((await run([], [])).verdict).toBe('inconclusive')
  })
})

describe('R2', () => {
  const replicaSet = (name: string, revision: number, rest: object = {}): KubeObject =>
    object('apps/v1', 'ReplicaSet', name, {
      metadata: {
        annotations: { 'deployment.kubernetes.io/revision': String(revision) },
        ownerReferences: [{ kind: 'Deployment', name: 'web', uid: 'uid-Deployment-web' }],
      },
      ...rest,
    })
  const run = (objects: readonly KubeObject[]): Promise<CheckRecord> =>
    one(workloadChecks(suiteEnvironment(fakeKubernetes(objects))), 'R2.app')
  const current = replicaSet('web-2', 2)
  const pods = [pod('web-2-a', { owner: current }), pod('web-2-b', { owner: current })]

  it('is green when everything is as asked for, also at zero', async () => {
    expect((await run([deployment('web'), current, ...pods])).verdict).toBe('pass')
    const zero = deployment(
      'worker',
      { replicas: 0, updatedReplicas: 0, readyReplicas: 0, availableReplicas: 0 },
      { replicas: 0 },
    )
    expect(await run([zero])).toMatchObject({
      verdict: 'pass',
      observations: { scaledToZero: ['Deployment worker'] },
    })
  })

  it.each([
    ['nothing to prove', [], /nothing to prove/],
    [
      'old generation',
      [deployment('web', { observedGeneration: 1 })],
      /^Deployment web: generation 2 not looked at yet \(observed 1\)$/,
    ],
    [
      'paused',
      [deployment('web', { updatedReplicas: 0 }, { paused: true }), current, ...pods],
      /^Deployment web is paused: 2\/2 ready, 0 updated, 2 available$/,
    ],
    [
      'image',
      [
        deployment('web', { readyReplicas: 1, availableReplicas: 1 }),
        current,
        pod('web-2-c', {
          owner: current,
          ready: false,
          status: {
            containerStatuses: [
              {
                name: 'main',
                ready: false,
                restartCount: 0,
                state: { waiting: { reason: 'ErrImagePull', message: 'no such image' } },
              },
            ],
          },
        }),
      ],
      /^Deployment web 1\/2 ready, 2 updated, 1 available: web-2-c: main ErrImagePull: no such image$/,
    ],
    [
      'old pods',
      [deployment('web'), current, replicaSet('web-1', 1), pod('web-1-a', { owner: replicaSet('web-1', 1) }), ...pods],
      /^Deployment web: pods of an older revision: web-1-a$/,
    ],
    [
      'quota',
      [
        deployment('web'),
        replicaSet('web-2', 2, {
          status: {
            conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'exceeded quota' }],
          },
        }),
      ],
      /^Deployment web: FailedCreate: exceeded quota$/,
    ],
    [
      'daemon set',
      [
        object('apps/v1', 'DaemonSet', 'proxy', {
          metadata: { generation: 1 },
          spec: {},
          status: {
            observedGeneration: 1,
            desiredNumberScheduled: 3,
            numberReady: 2,
            numberAvailable: 2,
            updatedNumberScheduled: 3,
          },
        }),
      ],
      /^DaemonSet proxy 2\/3 ready, 3 updated, 2 available$/,
    ],
    [
      'stateful set',
      [
        object('apps/v1', 'StatefulSet', 'db', {
          metadata: { generation: 1 },
          spec: { replicas: 1 },
          status: { observedGeneration: 1, replicas: 1, readyReplicas: 0 },
        }),
      ],
      /^StatefulSet db 0\/1 ready, 0 updated$/,
    ],
    ['a bare pod', [pod('lonely', { ready: false })], /^Pod lonely: Running, not Ready: not yet$/],
  ])('is red: %s', async (_what, objects, reason) => {
    const record = await run(objects)
    expect(record.verdict).toBe('fail')
    expect(record.reason).toMatch(reason)
  })
})

describe('R3', () => {
  const webhooks = object('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', 'policy', {
    metadata: { namespace: undefined },
    webhooks: [
      {
        name: 'pods.policy.example.com',
        clientConfig: { service: { namespace: 'shop', name: 'policy' } },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
        sideEffects: 'None',
      },
    ],
  })

  it('skips what the cluster does not have, and says so', async () => {
    const checks = platformApiChecks(suiteEnvironment(fakeKubernetes([])))
    expect(await one(checks, 'R3.webhooks')).toMatchObject({
      verdict: 'skipped',
      reason: 'the cluster has no admission webhooks',
    })
  })

  it('is red for an APIService that is not Available', async () => {
    const metrics = object('apiregistration.k8s.io/v1', 'APIService', 'v1beta1.metrics.k8s.io', {
      status: {
        conditions: [{ type: 'Available', status: 'False', reason: 'MissingEndpoints', message: 'no addresses' }],
      },
    })
    const checks = platformApiChecks(suiteEnvironment(fakeKubernetes([metrics])))
    expect((await one(checks, 'R3.api-services')).reason).toBe(
      'v1beta1.metrics.k8s.io is not Available: MissingEndpoints no addresses',
    )
  })

  it('is red for a CustomResourceDefinition that is not Established', async () => {
    const crd = object('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'seconds.example.com', {
      status: { conditions: [{ type: 'Established', status: 'False', reason: 'NotAccepted', message: 'names taken' }] },
    })
    const checks = platformApiChecks(suiteEnvironment(fakeKubernetes([crd])))
    expect(await one(checks, 'R3.crds')).toMatchObject({
      verdict: 'fail',
      reason: 'seconds.example.com is not Established: NotAccepted names taken',
    })
  })

  it('is red for a webhook nobody answers for', async () => {
    const checks = platformApiChecks(suiteEnvironment(fakeKubernetes([webhooks])))
    expect((await one(checks, 'R3.webhooks')).reason).toBe(
      'policy/pods.policy.example.com: its Service shop/policy has no ready endpoints',
    )
  })
})
