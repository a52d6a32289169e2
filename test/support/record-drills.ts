import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { currentOwner } from '../../src/cluster/owner.ts'
import type { ClusterState } from '../../src/cluster/state.ts'
import { stateOf } from '../unit/cluster/states.ts'
import { clusterJob, type LifeCycleHost, phases, stateFolder, strike } from './life-cycle.ts'
import type { FaultRow } from './prove-fault.ts'

/**
 * Records as runs leave them, right and wrong, each with a container of its cluster, that the built action meets: in its post step, or as the next run on the host. No
 * cluster is made for it.
 */
export type Fate = 'removed' | 'kept' | 'kept with a warning' | 'removed with a warning'

interface RecordDrill {
  readonly fault: string
  readonly expected: Fate
  /** The file's text, or what the record says; undefined: there is no file. */
  readonly record: (owners: Owners) => string | Partial<ClusterState> | undefined
}

export interface PostDrill extends RecordDrill {
  /** What the runner hands to the post step; the cluster's name is filled in. */
  readonly state: Readonly<Record<string, string>> | 'none'
  /** How the job went. Default failure. */
  readonly succeeds?: true
}

interface Owners {
  /** A process of this host that lives: this test. */
  readonly alive: ClusterState['owner']
  readonly earlierBoot: ClusterState['owner']
  /** Its process id belongs to another process now. */
  readonly reused: ClusterState['owner']
}

const dead = ({ earlierBoot }: Owners): Partial<ClusterState> => ({ owner: earlierBoot })
const handed = { cleanup: 'auto', logs: 'never' }

export const postDrills: readonly PostDrill[] = [
  { fault: 'post: no state at all', expected: 'kept', record: dead, state: 'none' },
  { fault: 'post: cleanup auto, job failed', expected: 'removed', record: dead, state: handed },
  {
    fault: 'post: cleanup always, job failed',
    expected: 'removed',
    record: dead,
    state: { ...handed, cleanup: 'always' },
  },
  {
    fault: 'post: cleanup on-success, job failed',
    expected: 'kept',
    record: dead,
    state: { ...handed, cleanup: 'on-success' },
  },
  {
    fault: 'post: cleanup on-success, job succeeded',
    expected: 'removed',
    record: dead,
    state: { ...handed, cleanup: 'on-success' },
    succeeds: true,
  },
  { fault: 'post: cleanup never, job failed', expected: 'kept', record: dead, state: { ...handed, cleanup: 'never' } },
  {
    fault: "post: state names a live neighbour's cluster",
    expected: 'kept with a warning',
    record: ({ alive }) => ({ owner: alive }),
    state: handed,
  },
  {
    fault: "post: state names a person's cluster",
    expected: 'kept with a warning',
    record: ({ earlierBoot }) => ({ owner: { ...earlierBoot, kind: 'person' } }),
    state: handed,
  },
  {
    fault: 'post: the record is damaged',
    expected: 'removed with a warning',
    record: () => '{"schema":1,',
    state: handed,
  },
  { fault: 'post: the record is gone', expected: 'removed', record: () => undefined, state: handed },
  {
    fault: 'post: the record is of another version',
    expected: 'removed with a warning',
    record: () => '{"schema":2,"name":"x"}',
    state: handed,
  },
]

export const nextRunDrills: readonly RecordDrill[] = [
  { fault: 'next run: a job of an earlier boot', expected: 'removed', record: dead },
  {
    fault: 'next run: a dead job whose process id is in use again',
    expected: 'removed',
    record: ({ reused }) => ({ owner: reused }),
  },
  { fault: 'next run: a live neighbour', expected: 'kept', record: ({ alive }) => ({ owner: alive }) },
  {
    fault: 'next run: a live neighbour, half made',
    expected: 'kept',
    record: ({ alive }) => ({ owner: alive, phase: 'creating' }),
  },
  {
    fault: 'next run: a job of another process namespace',
    expected: 'kept',
    record: ({ reused }) => ({ owner: { ...reused, pidNamespace: 'pid:[1]' } }),
  },
  {
    fault: "next run: a person's cluster, made before a reboot",
    expected: 'kept',
    record: ({ earlierBoot }) => ({ owner: { ...earlierBoot, kind: 'person' } }),
  },
  {
    fault: "next run: a person's cluster whose creation was killed",
    expected: 'removed',
    record: ({ reused }) => ({ owner: { ...reused, kind: 'person' }, phase: 'creating' }),
  },
  {
    fault: 'next run: a removal that was killed half way',
    expected: 'removed',
    record: ({ reused }) => ({ owner: reused, phase: 'deleting' }),
  },
  { fault: 'next run: a damaged record', expected: 'kept with a warning', record: () => '{' },
]

export function recordRow({ fault, expected }: RecordDrill): FaultRow {
  return { section: 'life cycle', fault, expected }
}

/** Runs the post step alone on it: its main fails at once, or only installs tools. */
export async function runPostDrill(host: LifeCycleHost, drill: PostDrill): Promise<Fate> {
  const cluster = `${host.cluster}-record`
  await plant(host, cluster, drill)
  try {
    const inputs = drill.succeeds ? { 'image-source': 'packages', 'install-only': 'true' } : { provider: 'k3d' }
    const stateForPost = drill.state === 'none' ? {} : { 'cluster-name': cluster, ...drill.state }
    const steps = [{ id: 'cluster', uses: 'setup-cluster', with: inputs, stateForPost }]
    const run = await clusterJob(host, {}, { steps }).done
    const post = run.steps.find(({ stage }) => stage === 'Post')
    const warned = post?.commands.some(({ name }) => name === 'warning' || name === 'error') === true
    if (post?.code !== 0) throw new Error(`the post step ended with ${post?.code}: ${post?.stdout}`)
    return await fateOf(cluster, warned)
  } finally {
    await unplant(cluster)
  }
}

/** Plants all of them, and the locks that a killed run held; then one run of another name comes by. */
export async function runNextRunDrills(host: LifeCycleHost): Promise<ReadonlyMap<string, Fate>> {
  const planted = nextRunDrills.map((drill, index) => ({ drill, cluster: `${host.cluster}-${index}` }))
  try {
    for (const { drill, cluster } of planted) await plant(host, cluster, drill)
    for (const lock of ['claim.lock', 'network.lock', 'records.lock']) {
      await writeFile(
        path.join(stateFolder(host), lock),
        JSON.stringify({ pid: process.pid, startTicks: '1', bootId: 'x' }),
      )
    }
    const run = await strike(clusterJob(host, { logs: 'never' }), phases.network, 'cancelled')
    const main = run?.steps.find(({ stage }) => stage === 'Main')
    const fates = planted.map(async ({ drill, cluster }) => {
      const warned = main?.commands.some(
        ({ name, message }) => name === 'warning' && message.includes(`${cluster}.json`),
      )
      return [drill.fault, await fateOf(cluster, warned === true)] as const
    })
    return new Map(await Promise.all(fates))
  } finally {
    for (const { cluster } of planted) await unplant(cluster)
  }
}

async function plant(host: LifeCycleHost, cluster: string, drill: RecordDrill): Promise<void> {
  const alive = await currentOwner({ pid: process.pid, kind: 'person' })
  const job = { ...alive, kind: 'job', runId: '1' } as const
  const owners = { alive: job, earlierBoot: { ...job, bootId: 'earlier' }, reused: { ...job, startTime: '1' } }
  const record = drill.record(owners)
  await mkdir(stateFolder(host), { recursive: true })
  if (record !== undefined) {
    const folder = path.join(host.folder, 'clusters', cluster)
    const files = { folder, kubeconfig: path.join(folder, 'kubeconfig'), logsPath: path.join(folder, 'logs') }
    const text = typeof record === 'string' ? record : JSON.stringify(stateOf({ name: cluster, ...files, ...record }))
    await writeFile(path.join(stateFolder(host), `${cluster}.json`), text)
  }
  const { stdout } = await run('docker', ['images', '--quiet', '--filter', 'label=k8s-platform.recipe=busybox'])
  const image = stdout.split('\n')[0] ?? ''
  await run('docker', [
    'create',
    '--name',
    `${cluster}-planted`,
    '--label',
    `k8s-platform.cluster=${cluster}`,
    image,
    'true',
  ])
}

async function unplant(cluster: string): Promise<void> {
  await run('docker', ['rm', '--force', `${cluster}-planted`]).catch(() => {})
}

async function fateOf(cluster: string, warned: boolean): Promise<Fate> {
  const { stdout } = await run('docker', ['ps', '--all', '--quiet', '--filter', `name=^${cluster}-planted$`])
  const fate = stdout.trim() === '' ? 'removed' : 'kept'
  return warned ? `${fate} with a warning` : fate
}

const run = promisify(execFile)
