import { describe, expect, it } from 'vitest'
import { culpritOf, podTrouble } from '../../../src/cluster/culprit.ts'
import { eventLine } from '../../../src/cluster/diagnostics.ts'
import { type ReadinessOptions, waitUntilReady } from '../../../src/cluster/readiness.ts'
import { type AskDns, dnsPod, dnsReason } from '../../../src/cluster/readiness-dns.ts'
import { heartbeatReasons, nodeReasons } from '../../../src/cluster/readiness-nodes.ts'
import { joinReasons, shorten } from '../../../src/cluster/reasons.ts'
import type { Kubernetes } from '../../../src/kubernetes/client.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { NotReadyError } from '../../../src/process/errors.ts'
import { testHost } from '../../support/test-host.ts'

const object = (kind: string, name: string, rest: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'kube-system', generation: 2, ...metadata },
  ...rest,
})
const ready = { type: 'Ready', status: 'True' }
const node = (name: string, conditions: object[] = [ready], taints: object[] = []): KubeObject =>
  object('Node', name, { status: { conditions }, spec: { taints } })

describe('nodes', () => {
  it('are ready when all expected ones say so and carry no "not yet" taint', () => {
    const taints = [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }]
    expect(nodeReasons([node('a', [ready], taints), node('b'), node('stranger', [])], ['a', 'b'])).toEqual([])
  })

  it('are named with their reason', () => {
    const failing = { type: 'Ready', status: 'False', message: 'cni plugin not initialized' }
    expect(
      nodeReasons(
        [node('a', [failing]), node('b', []), node('c', [ready], [{ key: 'node.kubernetes.io/unreachable' }])],
        ['a', 'b', 'c', 'd'],
      ),
    ).toEqual([
      'a NotReady: cni plugin not initialized',
      'b NotReady: its kubelet has not reported yet',
      'c still has the taint node.kubernetes.io/unreachable',
      'd has not joined',
    ])
  })

  it('must have sent a fresh heartbeat: a dead kubelet stays Ready for most of a minute', () => {
    const now = new Date('2026-11-21T10:01:00Z')
    const plain = (name: string): KubeObject => node(name)
    const lease = (name: string, renewTime?: string): KubeObject =>
      object('Lease', name, { spec: { renewTime, leaseDurationSeconds: 40 } })
    const leases = [lease('a', '2026-11-21T10:00:30.000000Z'), lease('b', '2026-11-21T10:00:00.000000Z'), lease('c')]
    expect(heartbeatReasons(['a', 'b', 'c', 'd'].map(plain), leases, now)).toEqual([
      'b sent its last heartbeat 60 s ago',
      'c has sent no heartbeat',
      'd has sent no heartbeat',
    ])
  })

  it('that have just joined have their status as heartbeat until there is a Lease, which then decides', () => {
    const now = new Date('2026-11-21T10:01:00Z')
    const posted = (name: string, lastHeartbeatTime: string): KubeObject =>
      node(name, [{ ...ready, lastHeartbeatTime }])
    const nodes = [posted('a', '2026-11-21T10:00:55Z'), posted('b', '2026-11-21T10:00:00Z')]
    expect(heartbeatReasons(nodes, [], now)).toEqual(['b sent its last heartbeat 60 s ago'])
    const old = object('Lease', 'a', { spec: { renewTime: '2026-11-21T10:00:10.000000Z', leaseDurationSeconds: 40 } })
    expect(heartbeatReasons(nodes.slice(0, 1), [old], now)).toEqual(['a sent its last heartbeat 50 s ago'])
  })
})

describe('DNS pods', () => {
  it('run under Pod Security restricted, on the node they are for, tainted or not', () => {
    const pod = dnsPod('demo-worker', 's1', 'node:24', 60)
    expect(pod['spec']).toMatchObject({
      nodeName: 'demo-worker',
      tolerations: [{ operator: 'Exists' }],
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{ securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
    })
  })

  it.each([
    [{ phase: 'Succeeded' }, undefined],
    [{ phase: 'Running' }, 'w: asking, no answer yet'],
    [
      {
        phase: 'Pending',
        containerStatuses: [{ state: { waiting: { reason: 'ErrImagePull', message: 'not found' } } }],
      },
      'w: ErrImagePull: not found',
    ],
    [{ phase: 'Failed', reason: 'DeadlineExceeded' }, 'w: DeadlineExceeded'],
    [undefined, 'w: not yet seen by the kubelet'],
  ])('%o', (status, reason) => {
    expect(dnsReason(object('Pod', 'p', { status }), 'w')).toBe(reason)
  })
})

describe('reasons', () => {
  it('are told once for all that share them', () => {
    expect(
      joinReasons(['a: pulling', 'b: pulling', 'c NotReady', 'd: pulling 10.0.0.1:80', 'e: pulling 10.0.0.2:81']),
    ).toBe('a and 1 more: pulling; c NotReady; d and 1 more: pulling 10.0.0.1:80')
  })

  it('keep both ends when they are long', () => {
    const text = shorten(`${'outer '.repeat(100)}${'inner '.repeat(100)}`)
    expect(text.length).toBeLessThan(260)
    expect(text).toMatch(/^outer .* \.\.\. .*inner$/)
  })
})

describe('culprits', () => {
  it('are pods that wait, crash, or find no node', () => {
    const pod = (status: object): KubeObject => object('Pod', 'p', { status })
    expect(
      podTrouble(pod({ containerStatuses: [{ name: 'c', state: { waiting: { reason: 'CrashLoopBackOff' } } }] })),
    ).toBe('c CrashLoopBackOff')
    expect(podTrouble(pod({ containerStatuses: [{ name: 'c', state: { terminated: { exitCode: 3 } } }] }))).toBe(
      'c ended with exit code 3',
    )
    expect(podTrouble(pod({ conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes' }] }))).toBe(
      'not scheduled: 0/1 nodes',
    )
    expect(
      podTrouble(pod({ phase: 'Running', containerStatuses: [{ name: 'c', ready: false, state: { running: {} } }] })),
    ).toBe('c runs and is not ready')
    expect(
      podTrouble(pod({ phase: 'Running', containerStatuses: [{ name: 'c', ready: true, state: { running: {} } }] })),
    ).toBeUndefined()
    expect(
      podTrouble(
        pod({ phase: 'Succeeded', containerStatuses: [{ name: 'c', state: { terminated: { exitCode: 0 } } }] }),
      ),
    ).toBeUndefined()
  })

  it('join the message with the fact that explains it, once', () => {
    const error = (message: string): NotReadyError =>
      new NotReadyError(message, { diagnostics: ['also: x', 'Pod kube-system/p: c CrashLoopBackOff'] })
    expect(culpritOf(error('system workloads not ready'))).toBe(
      'system workloads not ready (Pod kube-system/p: c CrashLoopBackOff)',
    )
    expect(culpritOf(error('p: c CrashLoopBackOff'))).toBe('p: c CrashLoopBackOff')
    expect(culpritOf(new Error('plain'))).toBe('plain')
  })

  it('write events as lines', () => {
    expect(
      eventLine(
        object('Event', 'e', {
          type: 'Warning',
          reason: 'FailedMount',
          message: 'no\nsuch volume',
          count: 3,
          lastTimestamp: '2026-11-21T10:00:00Z',
          involvedObject: { kind: 'Pod', namespace: 'a', name: 'b' },
        }),
      ),
    ).toBe('2026-11-21T10:00:00Z Warning FailedMount Pod a/b (3 times): no such volume')
  })
})

/** An API server as an object literal: what each kind's list holds, judged once. */
function fakeKubernetes(
  lists: Readonly<Record<string, readonly KubeObject[]>>,
): Kubernetes & { readonly created: KubeObject[]; readonly deleted: string[] } {
  const created: KubeObject[] = []
  const deleted: string[] = []
  const refuse = (): never => {
    throw new Error('not expected')
  }
  const of = (kind: string): readonly KubeObject[] => lists[kind] ?? []
  return {
    created,
    deleted,
    list: async (kind) => [...of(kind.kind)],
    async until(what, kind, scope, options) {
      const answered =
        kind.kind === 'Pod' ? created.map((pod) => ({ ...pod, status: lists['dns']?.[0]?.['status'] })) : of(kind.kind)
      const seen = scope.namespace === 'local-path-storage' ? [] : [...answered]
      if (options.done(seen)) return seen
      throw new NotReadyError(`${what} not ready: ${options.explain(seen)}`)
    },
    async create(made) {
      created.push(made)
      return made
    },
    async delete(ref) {
      deleted.push(ref.name)
    },
    logs: async () => 'last words\n',
    raw: async () => 'ok',
    serverTime: async () => new Date(),
    get: refuse,
    apply: refuse,
    patch: refuse,
    watch: refuse,
    exec: refuse,
  }
}

describe('waitUntilReady', () => {
  const healthy = (): Record<string, readonly KubeObject[]> => ({
    Node: [node('a'), node('b')],
    Lease: ['a', 'b'].map((name) =>
      object('Lease', name, { spec: { renewTime: new Date().toISOString(), leaseDurationSeconds: 40 } }),
    ),
    Deployment: [
      object('Deployment', 'coredns', {
        spec: { replicas: 1 },
        status: { observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1 },
      }),
    ],
    ServiceAccount: [object('ServiceAccount', 'default')],
    StorageClass: [
      object(
        'StorageClass',
        'standard',
        {},
        { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      ),
    ],
    dns: [object('Pod', 'dns', { status: { phase: 'Succeeded' } })],
  })
  const gate = (
    lists: Record<string, readonly KubeObject[]>,
    waitFor: ('api' | 'nodes' | 'system')[] = ['api', 'nodes', 'system'],
    more: Partial<ReadinessOptions> = {},
  ) => {
    const kubernetes = fakeKubernetes(lists)
    return {
      kubernetes,
      result: waitUntilReady(testHost(), kubernetes, {
        nodes: ['a', 'b'],
        waitFor,
        timeoutMs: 1_000,
        dnsImage: 'node:24',
        ...more,
      }),
    }
  }

  it('passes a healthy cluster and removes its pods', async () => {
    const { kubernetes, result } = gate(healthy())
    await result
    expect(kubernetes.created).toHaveLength(2)
    expect(kubernetes.deleted).toEqual(kubernetes.created.map((pod) => pod.metadata.name))
  })

  it.each([
    ['Node', [node('a')], /2 nodes Ready not ready: b has not joined/],
    ['Lease', [], /a and 1 more has sent no heartbeat/],
    ['Deployment', [], /no Deployment in kube-system yet/],
    ['ServiceAccount', [], /default ServiceAccount/],
    ['StorageClass', [], /none of 0 is the default/],
    ['dns', [object('Pod', 'dns', { status: { phase: 'Running' } })], /a and 1 more: asking, no answer yet/],
  ])('fails for %s and nothing else', async (kind, list, message) => {
    await expect(gate({ ...healthy(), [kind]: list }).result).rejects.toThrow(message)
  })

  it('tells when all but DNS is ready, and not before', async () => {
    let told = 0
    const onAllButDns = (): void => void told++
    const asking = { dns: [object('Pod', 'dns', { status: { phase: 'Running' } })] }
    await expect(gate({ ...healthy(), ...asking }, undefined, { onAllButDns }).result).rejects.toThrow('no answer yet')
    expect(told).toBe(1)
    await expect(gate({ ...healthy(), Node: [node('a')] }, undefined, { onAllButDns }).result).rejects.toThrow('joined')
    expect(told).toBe(1)
  })

  it('lets others ask DNS', async () => {
    const asked: string[][] = []
    const askDns: AskDns = async (_host, _kubernetes, { nodes }) => void asked.push([...nodes])
    const { kubernetes, result } = gate(healthy(), undefined, { askDns })
    await result
    expect(asked).toEqual([['a', 'b']])
    expect(kubernetes.created).toEqual([])
    const refused: AskDns = () => Promise.reject(new NotReadyError('b: SERVFAIL'))
    await expect(gate(healthy(), undefined, { askDns: refused }).result).rejects.toThrow('b: SERVFAIL')
  })

  it('calls two default StorageClasses a fault: a claim would get either', async () => {
    const standard = healthy()['StorageClass'] ?? []
    await expect(gate({ ...healthy(), StorageClass: [...standard, ...standard] }).result).rejects.toThrow(
      /2 are the default: standard, standard/,
    )
  })

  it('names the first cause and carries the later ones', async () => {
    const error = await gate({
      ...healthy(),
      Node: [node('a')],
      dns: [object('Pod', 'dns', { status: { phase: 'Running' } })],
    }).result.catch((e: unknown) => e)
    expect(error).toMatchObject({
      message: expect.stringContaining('b has not joined'),
      diagnostics: expect.arrayContaining([expect.stringMatching(/^also: an answer of cluster DNS/)]),
    })
  })

  it('asks only for what it is told to', async () => {
    await gate({}, ['api']).result
    await gate({}, []).result
    await expect(gate({}, ['nodes']).result).rejects.toThrow(/a and 1 more has not joined/)
  })
})
