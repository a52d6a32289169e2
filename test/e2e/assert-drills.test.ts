import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../src/kubernetes/objects.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { type DrillCluster, drillCluster, redOf, skippedFor } from './cluster-fixture.ts'

/**
 * Each check can fail, and only it. What must be red for which fault, and a part of the reason, is stated here before anything runs; checks that need a
 * red one are skipped, every other one is green.
 */
interface Fault {
  readonly red: Readonly<Record<string, RegExp>>
  readonly skipped: readonly string[]
}

const faults = {
  'worker deployment at zero': {
    red: {
      'R4.stored': /^fail: queued: \d+ votes? waits? in Redis, worker 0\/0 ready: no row for vote /,
      'R4.live': /^fail: queued: \d+ votes? waits? in Redis, worker 0\/0 ready: no live result with vote /,
    },
    skipped: ['R4.change', 'R4.once'],
  },
  'selector of a Service off by one label': {
    red: {
      'S1.endpoints':
        /^fail: Service worker-service: no ready endpoints: the selector .*app=wrker.* matches no pod and no workload \(Deployment worker has app=worker/,
    },
    skipped: [],
  },
  'wrong targetPort': {
    red: { 'S1.backends': /^fail: worker-\S+ \(\S+:9\) of Service worker-service: refused \(from \S+/ },
    skipped: ['S1.cluster-ip'],
  },
  'CoreDNS at zero': {
    // The app keeps its connections, so votes still flow; new lookups are what breaks.
    red: { 'D1.servers': /^fail: the DNS Service kube-system\/kube-dns has no ready endpoints/ },
    skipped: ['D1.external-name', 'D1.headless', 'D1.ptr', 'D1.search', 'D1.service', 'D1.srv'],
  },
  // A worker without pods of the app or of the system but for its DaemonSets'; looked at once it is marked NotReady.
  'node stopped': {
    red: {
      'R1.nodes': /^fail: \S+ Ready is Unknown \(the kubelet stopped reporting\)/,
      'R1.lease': /^fail: \S+ renewed its lease .* ago and not within /,
      'R1.probes': /^fail: \S+: node is not Ready; probe pod: /,
      'R2.system': /^fail: DaemonSet \S+ \d+\/\d+ ready/,
    },
    skipped: ['R1.nodes-at-end'],
  },
} as const satisfies Record<string, Fault>

const app = { namespace: 'voting-app' }
const deploymentKind = { apiVersion: 'apps/v1', kind: 'Deployment' } as const
const service = { apiVersion: 'v1', kind: 'Service', name: 'worker-service', ...app }
const nodeKind = { apiVersion: 'v1', kind: 'Node' } as const

let cluster: DrillCluster
const undo: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  cluster = await drillCluster()
})
afterAll(async () => {
  for (const step of undo.reverse()) await step()
})

describe('assertion drills', () => {
  it('start from a healthy cluster', async () => expectGreen(await cluster.assert()))

  it('worker deployment at zero', async () => {
    await withUndo(
      () => scale('worker', app.namespace, 0),
      () => scale('worker', app.namespace, 1),
      async () => {
        expectFault(faults['worker deployment at zero'], await cluster.assert())
      },
    )
  })

  it('selector of a Service off by one label', async () => {
    const breakIt = () => cluster.kubernetes.patch(service, { spec: { selector: { app: 'wrker' } } })
    const mend = () => cluster.kubernetes.patch(service, { spec: { selector: { app: 'worker' } } })
    await withUndo(breakIt, mend, async () => {
      expectFault(faults['selector of a Service off by one label'], await cluster.assert())
    })
  })

  it('wrong targetPort', async () => {
    const before = (await cluster.kubernetes.get(service))?.['spec'].ports
    const breakIt = () =>
      cluster.kubernetes.patch(service, { spec: { ports: before.map((port: object) => ({ ...port, targetPort: 9 })) } })
    const mend = () => cluster.kubernetes.patch(service, { spec: { ports: before } })
    await withUndo(breakIt, mend, async () => {
      expectFault(faults['wrong targetPort'], await cluster.assert())
    })
  })

  it('CoreDNS at zero', async () => {
    await withUndo(
      () => scale('coredns', 'kube-system', 0),
      () => scale('coredns', 'kube-system', 2),
      async () => {
        expectFault(faults['CoreDNS at zero'], await cluster.assert())
      },
    )
  })

  it('node stopped, and healed', async () => {
    const node = await vacateNode()
    const docker = (args: readonly string[]) => cluster.host.exec.run('docker', args, { timeoutMs: 60_000 })
    const stop = async () => {
      await docker(['stop', '-t', '3', node])
      await nodeReady(node, 'Unknown')
    }
    const start = async () => {
      await docker(['start', node])
      await nodeReady(node, 'True')
      await daemonSetsReady()
    }
    await withUndo(stop, start, async () => {
      expectFault(faults['node stopped'], await cluster.assert())
    })
    expectGreen(await cluster.assert())
  })
})

/** Breaks, looks, mends; mends also when the look fails, and at the end of the file when even that did not work. */
async function withUndo(
  breakIt: () => Promise<unknown>,
  mend: () => Promise<unknown>,
  look: () => Promise<void>,
): Promise<void> {
  undo.push(mend)
  try {
    await breakIt()
    await look()
  } finally {
    await mend()
    undo.splice(undo.indexOf(mend), 1)
  }
}

function expectFault(fault: Fault, record: RunRecord): void {
  const red = redOf(record)
  expect(Object.keys(red).sort(), JSON.stringify(red, null, 2)).toEqual(Object.keys(fault.red).sort())
  for (const [id, reason] of Object.entries(fault.red)) expect(red[id]).toMatch(reason)
  expect(skippedFor(record)).toEqual(fault.skipped)
  expect(record.verdict).toBe('fail')
  expect(record.problems).toEqual([])
}

function expectGreen(record: RunRecord): void {
  expect(redOf(record)).toEqual({})
  expect(record.problems).toEqual([])
  expect(record.verdict).toBe('pass')
  expect(record.checks.filter((check) => check.verdict === 'pass').length).toBeGreaterThan(15)
}

/** Resolves when the Deployment is at that number, old pods gone. */
async function scale(name: string, namespace: string, replicas: number): Promise<void> {
  const { kubernetes } = cluster
  const patched = await kubernetes.patch({ ...deploymentKind, name, namespace }, { spec: { replicas } })
  const generation = patched.metadata.generation ?? 0
  await kubernetes.until(
    `${replicas} of ${name}`,
    deploymentKind,
    { namespace },
    {
      timeoutMs: 120_000,
      done: (all) => {
        const status = all.find((one) => one.metadata.name === name)?.['status'] ?? {}
        const settled = (status.replicas ?? 0) === replicas && (status.readyReplicas ?? 0) === replicas
        return (status.observedGeneration ?? 0) >= generation && settled
      },
      explain: (all) => JSON.stringify(all.find((one) => one.metadata.name === name)?.['status'] ?? 'absent'),
    },
  )
}

async function nodeReady(name: string, status: 'True' | 'Unknown'): Promise<void> {
  const readyOf = (node: KubeObject): string | undefined =>
    (node['status'].conditions as { type: string; status: string }[]).find(({ type }) => type === 'Ready')?.status
  await cluster.kubernetes.until(
    `node ${name} Ready=${status}`,
    nodeKind,
    {},
    {
      timeoutMs: 150_000,
      done: (nodes) => nodes.some((node) => node.metadata.name === name && readyOf(node) === status),
      explain: (nodes) => nodes.map((node) => `${node.metadata.name} ${readyOf(node)}`).join(', '),
    },
  )
}

async function daemonSetsReady(): Promise<void> {
  const kind = { apiVersion: 'apps/v1', kind: 'DaemonSet' }
  const short = (sets: readonly KubeObject[]): string[] =>
    sets
      .filter((set) => (set['status'].numberReady ?? 0) < (set['status'].desiredNumberScheduled ?? 0))
      .map((set) => set.metadata.name)
  await cluster.kubernetes.until(
    'DaemonSets on every node',
    kind,
    {},
    {
      timeoutMs: 150_000,
      done: (sets) => short(sets).length === 0,
      explain: (sets) => short(sets).join(', '),
    },
  )
}

/**
 * A worker whose volumes nobody needs, emptied of all pods but its DaemonSets': what else runs there would be red as well, and rightly so. Cordoned only
 * for the move.
 */
async function vacateNode(): Promise<string> {
  const { kubernetes } = cluster
  const [nodes, pods] = await Promise.all([
    kubernetes.list(nodeKind),
    kubernetes.list({ apiVersion: 'v1', kind: 'Pod' }),
  ])
  const isBound = (pod: KubeObject): boolean =>
    (pod['spec'].volumes ?? []).some((volume: { persistentVolumeClaim?: object }) => volume.persistentVolumeClaim)
  const candidates = nodes.filter((node) => {
    const isWorker = node.metadata.labels?.['node-role.kubernetes.io/control-plane'] === undefined
    return isWorker && !pods.some((pod) => pod['spec'].nodeName === node.metadata.name && isBound(pod))
  })
  const node = candidates[0]?.metadata.name
  if (node === undefined) throw new Error('no worker without volumes: the drill wants three workers')
  const ref = { ...nodeKind, name: node }
  const movable = pods.filter(
    (pod) =>
      pod['spec'].nodeName === node && (pod.metadata.ownerReferences ?? []).some(({ kind }) => kind === 'ReplicaSet'),
  )
  await kubernetes.patch(ref, { spec: { unschedulable: true } })
  try {
    await Promise.all(
      movable.map(({ metadata: { name, namespace = '' } }) =>
        kubernetes.delete({ apiVersion: 'v1', kind: 'Pod', name, namespace }),
      ),
    )
    const names = new Set(movable.map((pod) => pod.metadata.name))
    const left = (all: readonly KubeObject[]): KubeObject[] => all.filter((pod) => names.has(pod.metadata.name))
    await kubernetes.until(
      'the old pods gone',
      { apiVersion: 'v1', kind: 'Pod' },
      {},
      {
        timeoutMs: 120_000,
        done: (all) => left(all).length === 0,
        explain: (all) =>
          left(all)
            .map((pod) => pod.metadata.name)
            .join(', '),
      },
    )
    const short = (all: readonly KubeObject[]): string[] =>
      all
        .filter((one) => (one['status'].availableReplicas ?? 0) < (one['spec'].replicas ?? 1))
        .map((one) => one.metadata.name)
    await kubernetes.until(
      'everything moved',
      deploymentKind,
      {},
      {
        timeoutMs: 120_000,
        done: (all) => short(all).length === 0,
        explain: (all) => short(all).join(', '),
      },
    )
  } finally {
    await kubernetes.patch(ref, { spec: { unschedulable: false } })
  }
  return node
}
