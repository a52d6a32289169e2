import { isPodReady } from '../../../src/assert/explain-pod.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import type { DrillCluster } from '../../e2e/cluster-fixture.ts'
import { app, daemonSetsReady, nodeReady, podKind } from '../drill-steps.ts'
import { seededRandom } from './random.ts'

export const killed = ['Redis', 'Postgres', 'worker', 'result', 'node'] as const
export type Killed = (typeof killed)[number]

export interface PlannedKill {
  readonly what: Killed
  /** Milliseconds since the first vote. */
  readonly atMs: number
  /** Chooses among several nodes. */
  readonly pick: number
}

const selectors = { Redis: 'app=redis', Postgres: 'app=postgres', worker: 'app=worker', result: 'app=result' } as const

/** Each of them `times` times, in the order and at the times of the seed, within the first part of the votes, so that there are votes after the last. */
export function planKills(seed: number, what: readonly Killed[], times: number, withinMs: number): PlannedKill[] {
  const random = seededRandom(seed)
  return Array.from({ length: times }, () => what)
    .flat()
    .map((one) => ({ what: one, atMs: Math.round(random() * withinMs), pick: random() }))
    .sort((a, b) => a.atMs - b.atMs)
}

export function renderPlan(seed: number, plan: readonly PlannedKill[]): string {
  return `seed ${seed}: ${plan.map(({ what, atMs }) => `${(atMs / 1000).toFixed(1)} s ${what}`).join(', ')}`
}

/**
 * Carries the plan out, from now on; resolves when all is back. Kills of containers may overlap each other. A node goes alone: what the API says of its pods is for a
 * while what was before, and nobody could be killed in it. Once a kill has failed, or `stop` is aborted, no other begins; it settles when those that had begun are over, so that
 * nothing is killed in the test after it.
 */
export async function killAll(
  cluster: DrillCluster,
  plan: readonly PlannedKill[],
  stop: AbortSignal = new AbortController().signal,
): Promise<void> {
  const failed = new AbortController()
  const signal = AbortSignal.any([stop, failed.signal])
  let node: Promise<unknown> = Promise.resolve()
  const containers = new Set<Promise<unknown>>()
  const begin = async (one: PlannedKill): Promise<void> => {
    if (!signal.aborted) await kill(cluster, one)
  }
  const start = (one: PlannedKill): Promise<void> => {
    if (one.what !== 'node') {
      const run = node.then(() => begin(one))
      containers.add(run)
      return run
    }
    const run = Promise.all([node, ...containers]).then(() => begin(one))
    node = run
    return run
  }
  const runs = plan.map((one) =>
    after(one.atMs, signal, () => start(one)).catch((error: unknown) => {
      failed.abort()
      throw error
    }),
  )
  await Promise.allSettled(runs)
  await Promise.all(runs)
}

/** At its time; not at all once the signal is aborted. */
function after(ms: number, signal: AbortSignal, run: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const off = (): void => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', off)
      run().then(resolve, reject)
    }, ms)
    if (signal.aborted) off()
    else signal.addEventListener('abort', off, { once: true })
  })
}

/** Kills it as a power cut would, with no signal to prepare for; resolves when it is back. */
async function kill(cluster: DrillCluster, { what, pick }: PlannedKill): Promise<void> {
  if (what === 'node') await killNode(cluster, pick)
  else await killContainer(cluster, selectors[what])
}

async function killContainer(cluster: DrillCluster, labelSelector: string): Promise<void> {
  const pod = await readyPod(cluster, labelSelector)
  const [status] = pod['status'].containerStatuses as { containerID: string; restartCount: number }[]
  const id = status?.containerID.replace('containerd://', '') ?? ''
  await cluster.host.exec.run(
    'docker',
    ['exec', pod['spec'].nodeName, 'ctr', '--namespace', 'k8s.io', 'task', 'kill', '--signal', 'SIGKILL', id],
    { timeoutMs: 30_000 },
  )
  // A pod that was on its way out anyway is replaced by another one.
  await podsOf(cluster, labelSelector, `${labelSelector} back after a kill`, (pods) =>
    pods.some(
      (one) =>
        isPodReady(one) && (one.metadata.uid !== pod.metadata.uid || restartsOf(one) > (status?.restartCount ?? 0)),
    ),
  )
}

/**
 * A worker on which something of the app runs that has state or moves it. It comes back at once, with what is on its disk. That it stayed away would try nothing more of the
 * votes: Redis and Postgres are StatefulSets whose volumes lie on that node, so Kubernetes starts them nowhere else, and moves a worker's pod, which holds nothing, only
 * after five minutes (the default toleration of an unreachable node), longer than all votes take.
 */
async function killNode(cluster: DrillCluster, pick: number): Promise<void> {
  const pods = await cluster.kubernetes.list(podKind, { ...app, labelSelector: 'app in (redis, postgres, worker)' })
  const nodes = [...new Set(pods.map((pod) => pod['spec'].nodeName as string))]
    .filter((name) => name !== undefined && !name.endsWith('-control-plane'))
    .sort()
  const node = nodes[Math.floor(pick * nodes.length)]
  if (node === undefined) throw new Error('nothing of the app runs on a worker')
  const there = pods.filter((pod) => pod['spec'].nodeName === node)
  const docker = (...args: string[]) => cluster.host.exec.run('docker', args, { timeoutMs: 60_000 })
  await docker('kill', node)
  await docker('start', node)
  await nodeReady(cluster, node, 'True')
  // Each of its pods has started again, or another one stands for it: until then the API shows what was before.
  await podsOf(cluster, 'app in (redis, postgres, worker)', `the pods of ${node} back`, (all) =>
    there.every((old) => {
      const now = all.find((pod) => pod.metadata.uid === old.metadata.uid)
      return now === undefined || (restartsOf(now) > restartsOf(old) && isPodReady(now))
    }),
  )
  await daemonSetsReady(cluster)
}

/** The one that is not on its way out; after a kill it may take a while to be Ready. */
async function readyPod(cluster: DrillCluster, labelSelector: string): Promise<KubeObject> {
  const usable = (pod: KubeObject): boolean => isPodReady(pod) && pod.metadata.deletionTimestamp === undefined
  const pods = await podsOf(cluster, labelSelector, `${labelSelector} Ready`, (all) => all.some(usable))
  const pod = pods.find(usable)
  if (pod === undefined) throw new Error(`${labelSelector}: gone`)
  return pod
}

function podsOf(
  { kubernetes }: DrillCluster,
  labelSelector: string,
  what: string,
  done: (pods: readonly KubeObject[]) => boolean,
): Promise<KubeObject[]> {
  return kubernetes.until(
    what,
    podKind,
    { ...app, labelSelector },
    {
      timeoutMs: 180_000,
      done,
      explain: (pods) =>
        pods
          .map((pod) => `${pod.metadata.name} ${isPodReady(pod) ? 'Ready' : 'not Ready'}, ${restartsOf(pod)} restarts`)
          .join('; '),
    },
  )
}

function restartsOf(pod: KubeObject): number {
  return pod['status'].containerStatuses?.[0]?.restartCount ?? 0
}
