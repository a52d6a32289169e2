import type { KubeObject } from '../../src/kubernetes/objects.ts'
import type { DrillCluster } from '../e2e/cluster-fixture.ts'

export const app = { namespace: 'voting-app' }
export const podKind = { apiVersion: 'v1', kind: 'Pod' } as const
export const deploymentKind = { apiVersion: 'apps/v1', kind: 'Deployment' } as const
const nodeKind = { apiVersion: 'v1', kind: 'Node' } as const

/** Resolves when the Deployment is as asked for at its generation, old pods gone. */
export async function rolledOut({ kubernetes }: DrillCluster, name: string, namespace: string): Promise<void> {
  const done = (one: KubeObject | undefined): boolean => {
    const { replicas = 0, readyReplicas = 0, updatedReplicas = 0, observedGeneration = 0 } = one?.['status'] ?? {}
    const wanted: number = one?.['spec'].replicas
    return (
      observedGeneration >= (one?.metadata.generation ?? 0) &&
      [replicas, readyReplicas, updatedReplicas].every((count) => count === wanted)
    )
  }
  const find = (all: readonly KubeObject[]): KubeObject | undefined => all.find((one) => one.metadata.name === name)
  await kubernetes.until(
    `rollout of ${name}`,
    deploymentKind,
    { namespace },
    {
      timeoutMs: 120_000,
      done: (all) => done(find(all)),
      explain: (all) => JSON.stringify(find(all)?.['status'] ?? 'absent'),
    },
  )
}

/** Resolves when the Deployment's own status says so: it follows its pods by a moment. */
export async function readyReplicas({ kubernetes }: DrillCluster, name: string, count: number): Promise<void> {
  const of = (all: readonly KubeObject[]): number =>
    all.find((one) => one.metadata.name === name)?.['status'].readyReplicas ?? 0
  await kubernetes.until(`${count} of ${name} ready`, deploymentKind, app, {
    timeoutMs: 120_000,
    done: (all) => of(all) === count,
    explain: (all) => `${of(all)} ready`,
  })
}

export async function scale(cluster: DrillCluster, name: string, namespace: string, replicas: number): Promise<void> {
  await cluster.kubernetes.patch({ ...deploymentKind, name, namespace }, { spec: { replicas } })
  await rolledOut(cluster, name, namespace)
}

/** Waits until a pod of the namespace is as `done` says. */
export async function podThat(
  { kubernetes }: DrillCluster,
  what: string,
  labelSelector: string,
  done: (pod: KubeObject) => boolean,
): Promise<KubeObject> {
  const pods = await kubernetes.until(
    what,
    podKind,
    { ...app, labelSelector },
    {
      timeoutMs: 120_000,
      done: (all) => all.some(done),
      explain: (all) => JSON.stringify(all.map((pod) => pod['status'].containerStatuses)),
    },
  )
  const found = pods.find(done)
  if (found === undefined) throw new Error(`${what}: gone`)
  return found
}

export async function nodeReady({ kubernetes }: DrillCluster, name: string, status: 'True' | 'Unknown'): Promise<void> {
  const readyOf = (node: KubeObject): string | undefined =>
    (node['status'].conditions as { type: string; status: string }[]).find(({ type }) => type === 'Ready')?.status
  await kubernetes.until(
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

export async function daemonSetsReady({ kubernetes }: DrillCluster): Promise<void> {
  const short = (sets: readonly KubeObject[]): string[] =>
    sets
      .filter((set) => (set['status'].numberReady ?? 0) < (set['status'].desiredNumberScheduled ?? 0))
      .map((set) => set.metadata.name)
  await kubernetes.until(
    'DaemonSets on every node',
    { apiVersion: 'apps/v1', kind: 'DaemonSet' },
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
export async function vacateNode({ kubernetes }: DrillCluster): Promise<string> {
  const [nodes, pods] = await Promise.all([kubernetes.list(nodeKind), kubernetes.list(podKind)])
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
      movable.map(({ metadata: { name, namespace = '' } }) => kubernetes.delete({ ...podKind, name, namespace })),
    )
    const names = new Set(movable.map((pod) => pod.metadata.name))
    const left = (all: readonly KubeObject[]): string[] =>
      all.filter((pod) => names.has(pod.metadata.name)).map((pod) => pod.metadata.name)
    await kubernetes.until(
      'the old pods gone',
      podKind,
      {},
      {
        timeoutMs: 120_000,
        done: (all) => left(all).length === 0,
        explain: (all) => left(all).join(', '),
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
