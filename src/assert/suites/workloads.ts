import type { Kubernetes } from '../../kubernetes/client.ts'
import { conditionOf } from '../../kubernetes/conditions.ts'
import type { KubeObject } from '../../kubernetes/objects.ts'
import type { Evidence, Json } from '../../report/record.ts'
import { type Check, fail, type Outcome, pass } from '../check.ts'
import { converge, type Look, summarize } from '../converge.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { explainPod, firstLine, isPodFinished, isPodReady } from '../explain-pod.ts'

/** R2: every workload runs what was last asked for, and nothing older. */
export function workloadChecks(environment: SuiteEnvironment): Check[] {
  const check = (id: string, namespace: string, title: string): Check => ({
    id,
    title,
    suite: 'readiness',
    lane: 'parallel',
    needs: [],
    timeoutMs: environment.convergeMs + 20_000,
    run: async (context): Promise<Outcome> => {
      const seen = await converge(
        context,
        async (): Promise<Look<Workloads>> => {
          const workloads = await readWorkloads(environment.kubernetes, namespace)
          return { value: workloads, differences: troubles(workloads) }
        },
        { timeoutMs: environment.convergeMs, intervalMs: 1_000 },
      )
      return judge(namespace, seen)
    },
  })
  const system = check('R2.system', 'kube-system', 'Every system workload is rolled out at its generation')
  if (environment.namespace === 'kube-system') return [system]
  return [
    check('R2.app', environment.namespace, 'Every workload of the namespace is rolled out at its generation'),
    system,
  ]
}

interface Workloads {
  readonly deployments: readonly KubeObject[]
  readonly statefulSets: readonly KubeObject[]
  readonly daemonSets: readonly KubeObject[]
  readonly replicaSets: readonly KubeObject[]
  readonly pods: readonly KubeObject[]
}

async function readWorkloads(kubernetes: Kubernetes, namespace: string): Promise<Workloads> {
  const list = (kind: string): Promise<KubeObject[]> => kubernetes.list({ apiVersion: 'apps/v1', kind }, { namespace })
  const [deployments, statefulSets, daemonSets, replicaSets, pods] = await Promise.all([
    list('Deployment'),
    list('StatefulSet'),
    list('DaemonSet'),
    list('ReplicaSet'),
    kubernetes.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace }),
  ])
  return { deployments, statefulSets, daemonSets, replicaSets, pods }
}

function judge(
  namespace: string,
  seen: Look<Workloads> & { readonly matched: boolean; readonly timeToConvergeMs: number },
): Outcome {
  const { deployments, statefulSets, daemonSets, pods } = seen.value
  const all = [...deployments, ...statefulSets, ...daemonSets]
  const observations = {
    workloads: all.map((workload) => `${describe(workload)} ${progressOf(workload)}`) as Json,
    // Not a fault of the rollout, and worth knowing when something behind it is red.
    scaledToZero: all.filter((workload) => workload['spec']?.replicas === 0).map(describe),
  }
  if (seen.matched) {
    const zero = observations.scaledToZero.length
    const more = zero === 0 ? '' : `; scaled to zero: ${observations.scaledToZero.join(', ')}`
    return pass(`${all.length} workloads and ${pods.length} pods as asked for${more}`, {
      observations,
      timeToConvergeMs: seen.timeToConvergeMs,
    })
  }
  const evidence: Evidence[] = []
  for (const text of seen.differences.slice(0, 10)) {
    const [, kind = 'pods', name = ''] = /^(\w+) ([\w.-]+?):? /.exec(text) ?? []
    const command = `kubectl -n ${namespace} describe ${kind.toLowerCase()} ${name}`.trim()
    evidence.push(evidence.at(-1)?.command === command ? { text } : { text, command })
  }
  return fail(summarize(seen.differences), {
    observations,
    evidence: [...evidence, { text: 'Events', command: `kubectl -n ${namespace} get events --sort-by=.lastTimestamp` }],
  })
}

function troubles(workloads: Workloads): string[] {
  const { deployments, statefulSets, daemonSets, replicaSets, pods } = workloads
  if (deployments.length + statefulSets.length + daemonSets.length + pods.length === 0) {
    return ['nothing to prove: the namespace has neither workloads nor pods']
  }
  return [
    ...deployments.flatMap((deployment) => deploymentTroubles(deployment, replicaSets, pods)),
    ...statefulSets.flatMap((set) => statefulSetTroubles(set, pods)),
    ...daemonSets.flatMap((set) => daemonSetTroubles(set, pods)),
    ...pods.filter(isBare).flatMap((pod) => (isPodReady(pod) ? [] : [`Pod ${pod.metadata.name}: ${explainPod(pod)}`])),
  ]
}

function isBare(pod: KubeObject): boolean {
  const owners = pod.metadata.ownerReferences ?? []
  // Static pods belong to their node and are the node's own bare pods. A finished pod has done its work.
  return !isPodFinished(pod) && owners.every((owner) => owner.kind === 'Node')
}

function deploymentTroubles(
  deployment: KubeObject,
  replicaSets: readonly KubeObject[],
  pods: readonly KubeObject[],
): string[] {
  const what = describe(deployment)
  const found: string[] = []
  const own = replicaSets.filter((set) => ownedBy(set, deployment))
  const newest = own.toSorted((a, b) => revision(b) - revision(a))[0]
  // Quota and Pod Security refusals show nowhere else.
  for (const set of own) {
    const failure = conditionOf(set, 'ReplicaFailure')
    if (failure?.status === 'True') found.push(`${what}: ${failure.reason}: ${firstLine(failure.message ?? '')}`)
  }
  const stale = staleGeneration(deployment)
  if (stale !== undefined) return [stale, ...found]
  const wanted: number = deployment['spec']?.replicas ?? 1
  const status = deployment['status'] ?? {}
  const short = (['updatedReplicas', 'readyReplicas', 'availableReplicas'] as const).find(
    (field) => (status[field] ?? 0) < wanted,
  )
  if (short !== undefined || (status.replicas ?? 0) !== wanted) {
    const paused = deployment['spec']?.paused === true ? ' is paused:' : ''
    found.push(`${what}${paused} ${progressOf(deployment)}${culprit(pods, own)}`)
  }
  const progressing = conditionOf(deployment, 'Progressing')
  if (progressing?.reason === 'ProgressDeadlineExceeded') found.push(`${what}: ${firstLine(progressing.message ?? '')}`)
  const old = pods.filter((pod) => own.some((set) => set !== newest && ownedBy(pod, set)) && !isPodFinished(pod))
  if (old.length > 0 && found.length === 0)
    found.push(`${what}: pods of an older revision: ${old.map((pod) => pod.metadata.name).join(', ')}`)
  return found
}

function statefulSetTroubles(set: KubeObject, pods: readonly KubeObject[]): string[] {
  const stale = staleGeneration(set)
  if (stale !== undefined) return [stale]
  const wanted: number = set['spec']?.replicas ?? 1
  const status = set['status'] ?? {}
  const rolling = set['spec']?.updateStrategy?.type !== 'OnDelete'
  const partition: number = set['spec']?.updateStrategy?.rollingUpdate?.partition ?? 0
  const found: string[] = []
  if ((status.readyReplicas ?? 0) < wanted || (status.replicas ?? 0) !== wanted) {
    found.push(`${describe(set)} ${progressOf(set)}${culprit(pods, [set])}`)
  }
  if (
    rolling &&
    wanted > 0 &&
    (status.updatedReplicas ?? 0) < wanted - partition &&
    status.updateRevision !== status.currentRevision
  ) {
    found.push(`${describe(set)}: ${status.updatedReplicas ?? 0}/${wanted} pods at revision ${status.updateRevision}`)
  }
  return found
}

function daemonSetTroubles(set: KubeObject, pods: readonly KubeObject[]): string[] {
  const stale = staleGeneration(set)
  if (stale !== undefined) return [stale]
  const status = set['status'] ?? {}
  const wanted: number = status.desiredNumberScheduled ?? 0
  const rolling = set['spec']?.updateStrategy?.type !== 'OnDelete'
  const short =
    (status.numberReady ?? 0) < wanted ||
    (status.numberAvailable ?? 0) < wanted ||
    (rolling && (status.updatedNumberScheduled ?? 0) < wanted)
  return short ? [`${describe(set)} ${progressOf(set)}${culprit(pods, [set])}`] : []
}

function staleGeneration(workload: KubeObject): string | undefined {
  const generation = workload.metadata.generation ?? 0
  const observed: number = workload['status']?.observedGeneration ?? 0
  return observed >= generation
    ? undefined
    : `${describe(workload)}: generation ${generation} not looked at yet (observed ${observed})`
}

/** `2/3 ready` with what else is short. */
function progressOf(workload: KubeObject): string {
  const status = workload['status'] ?? {}
  if (workload.kind === 'DaemonSet') {
    const updated = status.updatedNumberScheduled ?? 0
    return `${status.numberReady ?? 0}/${status.desiredNumberScheduled ?? 0} ready, ${updated} updated, ${status.numberAvailable ?? 0} available`
  }
  const wanted = workload['spec']?.replicas ?? 1
  const available = workload.kind === 'Deployment' ? `, ${status.availableReplicas ?? 0} available` : ''
  return `${status.readyReplicas ?? 0}/${wanted} ready, ${status.updatedReplicas ?? 0} updated${available}`
}

/** `: vote-7d9c ImagePullBackOff: ...`: the first pod that explains it. */
function culprit(pods: readonly KubeObject[], owners: readonly KubeObject[]): string {
  const bad = pods.find((pod) => owners.some((owner) => ownedBy(pod, owner)) && !isPodReady(pod))
  return bad === undefined ? '' : `: ${bad.metadata.name}: ${explainPod(bad)}`
}

function ownedBy(object: KubeObject, owner: KubeObject): boolean {
  return (object.metadata.ownerReferences ?? []).some((reference) => reference.uid === owner.metadata.uid)
}

function revision(set: KubeObject): number {
  return Number(set.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0)
}

function describe(workload: KubeObject): string {
  return `${workload.kind} ${workload.metadata.name}`
}
