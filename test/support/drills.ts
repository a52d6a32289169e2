import { isPodReady } from '../../src/assert/explain-pod.ts'
import { defaultProbeImage } from '../../src/assert/probe-pods.ts'
import { findAppPod, query } from '../../src/assert/voting-app-access.ts'
import type { KubeObject } from '../../src/kubernetes/objects.ts'
import { restrictedContainer, restrictedPod } from '../../src/kubernetes/restricted-pod.ts'
import { waitFor } from '../../src/process/wait.ts'
import type { DrillCluster } from '../e2e/cluster-fixture.ts'
import { dnsDrills } from './dns-drills.ts'
import {
  app,
  daemonSetsReady,
  deploymentKind,
  nodeReady,
  podKind,
  podThat,
  readyReplicas,
  rolledOut,
  scale,
  vacateNode,
} from './drill-steps.ts'
import type { FaultName } from './fault-table.ts'
import { platformDrills } from './platform-drills.ts'
import type { Mend } from './prove-fault.ts'

/** Breaks one thing and resolves once it is in force. What mends it is registered before anything is broken; the last registered runs first. */
export type Drill = (cluster: DrillCluster, mend: Mend) => Promise<void>

const workerService = { apiVersion: 'v1', kind: 'Service', name: 'worker-service', ...app }
const worker = { ...deploymentKind, name: 'worker', ...app }

/** A patch of an object of the app, and the one that takes it back. */
function patched(ref: typeof workerService | typeof worker, broken: object, whole: object): Drill {
  return async ({ kubernetes }, mend) => {
    mend(() => kubernetes.patch(ref, whole))
    await kubernetes.patch(ref, broken)
  }
}

function scaledToZero(name: string, namespace: string): Drill {
  return async (cluster, mend) => {
    const before: number = (await cluster.kubernetes.get({ ...deploymentKind, name, namespace }))?.['spec'].replicas
    mend(() => scale(cluster, name, namespace, before))
    await scale(cluster, name, namespace, 0)
  }
}

export const drills: Readonly<Record<FaultName, Drill>> = {
  ...platformDrills,
  ...dnsDrills,
  'worker at zero': scaledToZero('worker', app.namespace),

  async 'CoreDNS at zero'(cluster, mend) {
    await connectVotes(cluster)
    await scaledToZero('coredns', 'kube-system')(cluster, mend)
  },

  'selector of a Service off by one label': patched(
    workerService,
    { spec: { selector: { app: 'wrker' } } },
    { spec: { selector: { app: 'worker' } } },
  ),

  async 'wrong targetPort'(cluster, mend) {
    const ports: readonly object[] = (await cluster.kubernetes.get(workerService))?.['spec'].ports
    const wrong = ports.map((port) => ({ ...port, targetPort: 9 }))
    await patched(workerService, { spec: { ports: wrong } }, { spec: { ports } })(cluster, mend)
  },

  async 'one CoreDNS pod that drops queries'(cluster, mend) {
    const { kubernetes, host } = cluster
    await connectVotes(cluster)
    const pods = await kubernetes.list(podKind, { namespace: 'kube-system', labelSelector: 'k8s-app=kube-dns' })
    const victim = pods.find(isPodReady)
    if (victim === undefined) throw new Error('no CoreDNS pod is Ready')
    const rules = (operation: '-I' | '-D') =>
      Promise.all(
        ['udp', 'tcp'].map((protocol) => {
          const match = ['-d', victim['status'].podIP, '-p', protocol, '--dport', '53', '-j', 'DROP']
          const args = ['exec', victim['spec'].nodeName, 'iptables', '-w', operation, 'FORWARD', ...match]
          return host.exec.run('docker', args, { timeoutMs: 30_000 })
        }),
      )
    mend(() => rules('-D'))
    await rules('-I')
  },

  async 'Postgres read-only'(cluster, mend) {
    const place = { kubernetes: cluster.kubernetes, ...app }
    const apply = async (statement: string): Promise<void> => {
      await query(place, statement)
      await query(place, 'select pg_reload_conf()')
    }
    mend(async () => {
      await apply('alter system reset default_transaction_read_only')
      await rolledOut(cluster, 'worker', app.namespace)
    })
    await apply('alter system set default_transaction_read_only = on')
    await readyReplicas(cluster, 'worker', 0)
  },

  async 'Redis full'(cluster, mend) {
    const [, limit = ''] = (await redis(cluster, 'config', 'get', 'maxmemory')).split('\n')
    mend(() => redis(cluster, 'config', 'set', 'maxmemory', limit.trim()))
    await redis(cluster, 'config', 'set', 'maxmemory', '1')
  },

  async 'a pod that restarts every 20 s'(cluster, mend) {
    const ref = { ...podKind, name: 'restless', ...app }
    const gone = async (): Promise<void> => {
      await cluster.kubernetes.delete(ref)
      await cluster.kubernetes.until(
        'the pod gone',
        podKind,
        { ...app, labelSelector: 'app=restless' },
        {
          timeoutMs: 60_000,
          done: (pods) => pods.length === 0,
          explain: (pods) => `${pods.length} left`,
        },
      )
    }
    mend(gone)
    await cluster.kubernetes.create(restless())
    // The first restart is immediate: from now it runs and is Ready for 20 s.
    await podThat(cluster, 'the first restart', 'app=restless', (pod) => {
      const status = pod['status'].containerStatuses?.[0]
      return status?.restartCount === 1 && status.state.running !== undefined && isPodReady(pod)
    })
  },

  async 'rollout stuck at an old generation'(cluster, mend) {
    const deployment = await cluster.kubernetes.get(worker)
    const containers: readonly { name: string; image: string }[] = deployment?.['spec'].template.spec.containers ?? []
    mend(async () => {
      await cluster.kubernetes.patch(worker, { spec: { template: { spec: { containers } } } })
      await rolledOut(cluster, 'worker', app.namespace)
      await onlyReadyWorkers(cluster)
    })
    const broken = containers.map((container) => ({ ...container, image: 'registry.invalid/voting-app/worker:none' }))
    await cluster.kubernetes.patch(worker, { spec: { template: { spec: { containers: broken } } } })
    await podThat(cluster, 'a pull that fails', 'app=worker', (pod) =>
      /ErrImagePull|ImagePullBackOff/.test(pod['status'].containerStatuses?.[0]?.state?.waiting?.reason ?? ''),
    )
  },

  async 'rollout paused at an old generation'(cluster, mend) {
    const template = (generation: string | null) => ({ metadata: { annotations: { 'drill/generation': generation } } })
    mend(async () => {
      await cluster.kubernetes.patch(worker, { spec: { paused: false, template: template(null) } })
      await rolledOut(cluster, 'worker', app.namespace)
    })
    await cluster.kubernetes.patch(worker, { spec: { paused: true, template: template('next') } })
  },

  async 'node stopped'(cluster, mend) {
    const node = await vacateNode(cluster)
    const docker = (...args: string[]) => cluster.host.exec.run('docker', args, { timeoutMs: 60_000 })
    mend(async () => {
      await docker('start', node)
      await nodeReady(cluster, node, 'True')
      await daemonSetsReady(cluster)
    })
    await docker('stop', '-t', '3', node)
    await nodeReady(cluster, node, 'Unknown')
  },
}

/**
 * So that DNS is what breaks, and the app is not: each pod of the vote service has as many connections to Redis open as the checks can keep busy at once, and asks DNS for no more.
 */
async function connectVotes(cluster: DrillCluster): Promise<void> {
  const { kubernetes, host } = cluster
  const pods = await kubernetes.list(podKind, { ...app, labelSelector: 'app=vote' })
  if (pods.length === 0) throw new Error('no pod of the vote service')
  // `/ready` asks Redis.
  const script = `
import concurrent.futures, urllib.request
def ask(_): urllib.request.urlopen('http://127.0.0.1:8080/ready').read()
with concurrent.futures.ThreadPoolExecutor(16) as pool: list(pool.map(ask, range(64)))`
  const short = async (): Promise<string[]> => {
    const clients = (await redis(cluster, 'client', 'list')).split('\n')
    const open = (pod: KubeObject): number =>
      clients.filter((line) => line.includes(` addr=${pod['status'].podIP}:`)).length
    const few = pods.filter((pod) => open(pod) < 6)
    const ask = few.map(({ metadata: { name } }) =>
      kubernetes.exec({ ...app, pod: name, command: ['python', '-c', script], timeoutMs: 15_000 }),
    )
    for (const { status, stderr } of await Promise.all(ask))
      if (status?.exitCode !== 0) throw new Error(`the vote service does not answer: ${stderr}`)
    return few.map((pod) => `${pod.metadata.name} has ${open(pod)}`)
  }
  await waitFor(host, 'connections of the vote service', short, {
    timeoutMs: 30_000,
    done: (pods) => pods.length === 0,
    explain: (pods) => pods.join(', '),
  })
}

/** What redis-cli answers in the pod of Redis. */
async function redis({ kubernetes }: DrillCluster, ...command: string[]): Promise<string> {
  const pod = await findAppPod(kubernetes, app.namespace, 'redis')
  if (pod === undefined) throw new Error('no Redis pod is Ready')
  const argv = ['redis-cli', '-e', ...command]
  const answer = await kubernetes.exec({ ...app, pod: pod.metadata.name, command: argv, timeoutMs: 15_000 })
  if (answer.status?.exitCode !== 0) throw new Error(`${argv.join(' ')}: ${answer.stdout}${answer.stderr}`)
  return answer.stdout
}

/** Runs for 20 s and ends with an error, again and again. */
function restless(): KubeObject {
  return {
    ...podKind,
    metadata: { name: 'restless', ...app, labels: { app: 'restless' } },
    spec: {
      securityContext: restrictedPod,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'restless',
          image: defaultProbeImage,
          imagePullPolicy: 'IfNotPresent',
          command: ['node', '-e', 'setTimeout(() => process.exit(1), 20_000)'],
          securityContext: restrictedContainer,
        },
      ],
    },
  }
}

/** The pod whose image could not be pulled is still on its way out when the rollout is done. */
async function onlyReadyWorkers({ kubernetes }: DrillCluster): Promise<void> {
  await kubernetes.until(
    'only Ready workers',
    podKind,
    { ...app, labelSelector: 'app=worker' },
    {
      timeoutMs: 60_000,
      done: (pods) => pods.every(isPodReady),
      explain: (pods) => pods.map((pod) => pod.metadata.name).join(', '),
    },
  )
}
