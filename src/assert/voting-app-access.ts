import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { NotReadyError } from '../process/errors.ts'
import { InconclusiveError, LostError } from './engine.ts'
import type { SuiteEnvironment } from './environment.ts'
import { isPodReady } from './explain-pod.ts'
import { hostRunner } from './host-runner.ts'
import { requireProbes } from './per-node.ts'
import type { ProbeRunner } from './probe-batch.ts'
import { describeRefusal } from './refusal.ts'

/** From where, and at which addresses, the voting app is spoken to. */
export interface VotingAppRoute {
  readonly runner: ProbeRunner
  readonly vote: string
  readonly result: string
}

const dialMs = 2_000
const hostPorts = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: 'k8s-platform-host-ports',
  namespace: 'kube-system',
} as const

/**
 * The way a user takes, where there is one: the URLs given, or the NodePorts published on this machine (recorded in the ConfigMap
 * kube-system/k8s-platform-host-ports when the cluster was made). Else through a probe pod, by the Services' addresses.
 */
export async function findRoute(
  environment: Pick<SuiteEnvironment, 'kubernetes' | 'namespace' | 'urls' | 'fleet'>,
): Promise<VotingAppRoute> {
  const { kubernetes, namespace, urls } = environment
  if (urls !== undefined) return { runner: hostRunner(), ...urls }
  const service = (name: string): Promise<KubeObject | undefined> =>
    kubernetes.get({ apiVersion: 'v1', kind: 'Service', name, namespace })
  const [vote, result, published] = await Promise.all([
    service('vote-service'),
    service('result-service'),
    kubernetes.get(hostPorts),
  ])
  if (vote === undefined || result === undefined) {
    const missing = [vote === undefined ? 'vote-service' : '', result === undefined ? 'result-service' : ''].filter(
      Boolean,
    )
    throw new InconclusiveError(`namespace ${namespace} has no Service ${missing.join(' and ')}`, {
      hint: 'Is the voting app deployed there? Another app wants target: generic.',
    })
  }
  const onHost = (one: KubeObject): string | undefined => {
    const nodePort: number | undefined = one['spec']?.ports?.[0]?.nodePort
    return nodePort === undefined ? undefined : published?.['data']?.[String(nodePort)]
  }
  const [voteAddress, resultAddress] = [onHost(vote), onHost(result)]
  if (voteAddress !== undefined && resultAddress !== undefined && (await listensHere([voteAddress, resultAddress]))) {
    return { runner: hostRunner(), vote: `http://${voteAddress}`, result: `http://${resultAddress}` }
  }
  const fleet = await environment.fleet()
  requireProbes(fleet)
  const probe = fleet.probes[0]
  if (probe === undefined) throw new LostError('no probe pod answered')
  // By address: a DNS that is down is D1's finding, and one finding is enough.
  const inCluster = (one: KubeObject): string => {
    const address: string = one['spec']?.clusterIP ?? ''
    return `http://${address.includes(':') ? `[${address}]` : address}:${one['spec']?.ports?.[0]?.port ?? 80}`
  }
  return { runner: probe, vote: inCluster(vote), result: inCluster(result) }
}

/** The ConfigMap speaks of the machine that made the cluster, which need not be ours. */
async function listensHere(addresses: readonly string[]): Promise<boolean> {
  const results = await hostRunner().run(
    addresses.map((address) => {
      const { hostname, port } = new URL(`http://${address}`)
      return { kind: 'tcp', id: address, host: hostname, port: Number(port), timeoutMs: dialMs }
    }),
  )
  return results.every((result) => result.dial === 'connected')
}

/** A Ready pod with the label `app: <name>`, or undefined. */
export async function findAppPod(
  kubernetes: Kubernetes,
  namespace: string,
  app: string,
): Promise<KubeObject | undefined> {
  const pods = await kubernetes.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace, labelSelector: `app=${app}` })
  return pods.find(isPodReady)
}

const execMs = 15_000

/** Where the app is: all that a question to its pods needs. */
export type AppPlace = Pick<SuiteEnvironment, 'kubernetes' | 'namespace'>

/** Postgres answered, with a refusal. Whether that is what was asked about, the check knows. */
export class StatementError extends InconclusiveError {}

/**
 * Runs one SQL statement in the Postgres pod and resolves with its rows, fields separated by `|`. SQL and its parameters come by stdin and `-v`, and values
 * are quoted by psql (`:'name'`).
 * @throws NotReadyError when there is no Ready pod, LostError when a stream is lost, StatementError when Postgres refuses the statement.
 */
export async function query(
  place: AppPlace,
  sql: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const { kubernetes, namespace } = place
  const pod = await findAppPod(kubernetes, namespace, 'postgres')
  if (pod === undefined) throw new NotReadyError(`no Ready pod with app=postgres in namespace ${namespace}`)
  const variables = Object.entries(parameters).flatMap(([name, value]) => ['-v', `${name}=${value}`])
  const [user, database] = await Promise.all([
    setting(kubernetes, pod, 'POSTGRES_USER'),
    setting(kubernetes, pod, 'POSTGRES_DB'),
  ])
  const name = user ?? 'postgres'
  const answer = await kubernetes.exec({
    namespace,
    pod: pod.metadata.name,
    ...containerOf(pod),
    command: [
      'psql',
      '-X',
      '-A',
      '-t',
      '-q',
      '-v',
      'ON_ERROR_STOP=1',
      ...variables,
      '-U',
      name,
      '-d',
      database ?? name,
      '-f',
      '-',
    ],
    stdin: `${sql};\n`,
    timeoutMs: execMs,
  })
  if (answer.status === null)
    throw new LostError(`psql in pod ${pod.metadata.name}: the exec stream ended without a verdict`)
  if (answer.status.exitCode !== 0) {
    // The worker makes its tables when it starts: before that nothing is counted, which is an answer.
    if (/relation "\w+" does not exist/.test(answer.stderr)) return []
    const lines = answer.stderr.trim().split('\n')
    // psql quotes the statement below its error.
    const why = lines.find((line) => line.includes('ERROR:')) ?? lines.slice(-2).join(' | ')
    throw new StatementError(`psql in pod ${pod.metadata.name} ended with ${answer.status.exitCode}: ${why}`)
  }
  return answer.stdout.split('\n').filter((line) => line !== '')
}

/** An environment variable of the pod: as written in its spec, else as the container has it. */
async function setting(kubernetes: Kubernetes, pod: KubeObject, variable: string): Promise<string | undefined> {
  const variables: readonly { name: string; value?: string; valueFrom?: object }[] =
    pod['spec']?.containers?.[0]?.env ?? []
  const found = variables.find((entry) => entry.name === variable)
  if (found?.valueFrom === undefined) return found?.value
  const answer = await kubernetes.exec({
    namespace: pod.metadata.namespace ?? '',
    pod: pod.metadata.name,
    ...containerOf(pod),
    command: ['printenv', variable],
    timeoutMs: execMs,
  })
  // It says nothing of the variable: a guess would be asked as another user, and the refusal taken for an answer.
  if (answer.status === null)
    throw new LostError(`printenv in pod ${pod.metadata.name}: the exec stream ended without a verdict`)
  return answer.status.exitCode === 0 ? answer.stdout.trim() : undefined
}

function containerOf(pod: KubeObject): { container?: string } {
  const name: string | undefined = pod['spec']?.containers?.[0]?.name
  return name === undefined ? {} : { container: name }
}

async function describeWorker({ kubernetes, namespace }: AppPlace): Promise<string> {
  try {
    const scope = { namespace, labelSelector: 'app=worker' }
    const [worker] = await kubernetes.list({ apiVersion: 'apps/v1', kind: 'Deployment' }, scope)
    if (worker === undefined) return 'there is no Deployment with app=worker'
    return `worker ${worker['status']?.readyReplicas ?? 0}/${worker['spec']?.replicas ?? 1} ready`
  } catch (error) {
    // Only to explain: that it cannot must not hide that the vote is not there.
    if (error instanceof ApiError) return describeRefusal(error)
    throw error
  }
}

/** Where a vote that did not arrive may be: `queued: 1 vote waits in Redis, worker 0/0 ready`. */
export async function explainPipeline(place: AppPlace): Promise<string> {
  const { kubernetes, namespace } = place
  const ready = await describeWorker(place)
  const redis = await findAppPod(kubernetes, namespace, 'redis')
  if (redis === undefined) return `no Ready pod with app=redis, ${ready}`
  const answer = await kubernetes.exec({
    namespace,
    pod: redis.metadata.name,
    ...containerOf(redis),
    command: ['redis-cli', 'LLEN', 'votes'],
    timeoutMs: execMs,
  })
  const length = answer.status?.exitCode === 0 ? Number.parseInt(answer.stdout, 10) : Number.NaN
  if (Number.isNaN(length)) return `the queue in Redis cannot be read, ${ready}`
  if (length === 0) return `no vote waits in Redis, ${ready}`
  return `queued: ${length} ${length === 1 ? 'vote waits' : 'votes wait'} in Redis, ${ready}`
}
