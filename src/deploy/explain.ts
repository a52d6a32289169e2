import { conditionOf, isReady } from '../kubernetes/conditions.ts'
import { type StateContext, stateOf, unknownContext } from '../kubernetes/object-state.ts'
import { describeRef, type KubeObject, refOf } from '../kubernetes/objects.ts'
import { containerFindings } from './explain-containers.ts'
import type { Finding } from './finding.ts'
import { claimWarning, latestWarning } from './warning-events.ts'

/** Everything known of the objects of a release and what belongs to them. Any list may be empty: then less can be said. */
export interface ClusterView {
  /** What is waited for; workloads above all. */
  readonly workloads: readonly KubeObject[]
  readonly replicaSets: readonly KubeObject[]
  readonly pods: readonly KubeObject[]
  readonly events: readonly KubeObject[]
  readonly context?: StateContext
}

/**
 * The reasons why workloads have not rolled out, those that matter most first; empty when all have. Pure: the caller collects and waits.
 * Only pods of the newest revision count: what the old ones suffer from is what the rollout replaces.
 */
export function explain(view: ClusterView): Finding[] {
  return view.workloads
    .filter((workload) => !stateOf(workload, view.context ?? unknownContext).done)
    .flatMap((workload) => explainWorkload(workload, view))
    .sort((a, b) => Number(b.permanent) - Number(a.permanent) || rank(a.reason) - rank(b.reason))
}

/** Causes before what may only be their consequence: a worker is not ready because Postgres has no image. */
const order = [
  'PodSecurityViolation',
  'QuotaExceeded',
  'AdmissionRefused',
  'ProgressDeadlineExceeded',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ErrImagePull',
  'ImagePullBackOff',
  'CreateContainerConfigError',
  'Unschedulable',
  'Evicted',
  'FailedMount',
  'OOMKilled',
  'CrashLoopBackOff',
  'Error',
  'Unhealthy',
]

function rank(reason: string): number {
  const index = order.indexOf(reason)
  return index === -1 ? order.length : index
}

function explainWorkload(workload: KubeObject, view: ClusterView): Finding[] {
  const name = describeRef(refOf(workload))
  const owner = newestOwner(workload, view.replicaSets)
  const pods =
    workload.kind === 'Pod'
      ? [workload]
      : view.pods.filter((pod) => pod.metadata.ownerReferences?.some((ref) => ref.uid === owner.metadata.uid))
  const found = [
    ...refusals(name, workload, owner, pods, view.events),
    ...pods.flatMap((pod) => explainPod(name, pod, view.events)),
  ]
  const state = stateOf(workload, view.context ?? unknownContext)
  const own: Finding = { workload: name, ...ownReason(workload, state.failed === true, view.events), permanent: false }
  if (state.failed !== true) return found.length > 0 ? found : [{ ...own, message: joined(state.reason, own.message) }]
  // The controller has given up: what its pods suffer from is why, and waiting for them is over. Of a Job that is certain at once.
  const over = { permanent: true, ...(workload.kind === 'Job' ? { certain: true } : {}) }
  const why = found.length > 0 ? found : [own]
  return why.map((finding) => ({ ...finding, message: joined(finding.message, state.reason), ...over }))
}

/** What can be said of an object without looking at pods. */
function ownReason(
  object: KubeObject,
  hasFailed: boolean,
  events: readonly KubeObject[],
): Pick<Finding, 'reason' | 'message'> {
  if (object.kind === 'Job' && hasFailed) return { reason: 'JobFailed', message: '' }
  if (object.kind === 'Deployment' && hasFailed) {
    return { reason: object['spec']?.paused === true ? 'Paused' : 'ProgressDeadlineExceeded', message: '' }
  }
  const event = latestWarning(events, object.metadata.uid)
  if (object.kind === 'Service') return { reason: 'NoAddress', message: event?.message ?? '' }
  // Of a workload its controller's warnings are told as refusals, or are old.
  if (event === undefined || ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'].includes(object.kind)) {
    return { reason: hasFailed ? 'Failed' : 'InProgress', message: '' }
  }
  return { reason: event.reason, message: event.message }
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('; ')
}

/** A Deployment's pods belong to its ReplicaSets; the newest carries the Deployment's revision. */
function newestOwner(workload: KubeObject, replicaSets: readonly KubeObject[]): KubeObject {
  if (workload.kind !== 'Deployment') return workload
  const revision = (object: KubeObject): string | undefined =>
    object.metadata.annotations?.['deployment.kubernetes.io/revision']
  const own = replicaSets.filter((set) =>
    set.metadata.ownerReferences?.some((ref) => ref.uid === workload.metadata.uid),
  )
  return own.find((set) => revision(set) === revision(workload)) ?? own.at(-1) ?? workload
}

/** Pods that could not even be created: quota, Pod Security, an admission webhook. */
function refusals(
  name: string,
  workload: KubeObject,
  owner: KubeObject,
  pods: readonly KubeObject[],
  events: readonly KubeObject[],
): Finding[] {
  const failure = conditionOf(workload, 'ReplicaFailure')
  const wanted: number =
    workload['spec']?.replicas ?? workload['status']?.desiredNumberScheduled ?? workload['spec']?.parallelism ?? 1
  // A StatefulSet has no such condition, and the event of a refusal outlives it by an hour: it counts only while pods are missing.
  const event = pods.length < wanted ? latestWarning(events, owner.metadata.uid, ['FailedCreate']) : undefined
  const message = failure?.status === 'True' ? failure.message : event?.message
  if (message === undefined) return []
  const reason = /exceeded quota|failed quota/.test(message)
    ? 'QuotaExceeded'
    : message.includes('violates PodSecurity')
      ? 'PodSecurityViolation'
      : 'AdmissionRefused'
  // A webhook may only be starting, and a service account may only be late.
  const permanent = reason !== 'AdmissionRefused' || /denied (the )?request/.test(message)
  return [{ workload: name, reason, message, permanent }]
}

function explainPod(workload: string, pod: KubeObject, events: readonly KubeObject[]): Finding[] {
  if (pod.metadata.deletionTimestamp !== undefined || isReady(pod)) return []
  const finding = (reason: string, message: string): Finding => ({
    workload,
    pod: pod.metadata.name,
    reason,
    message,
    permanent: false,
  })
  const status = pod['status'] ?? {}
  if (status.phase === 'Succeeded') return []
  if (status.phase === 'Failed') {
    const ended = containerFindings(pod, events)
    if (ended.length > 0) return ended.map((found) => ({ workload, pod: pod.metadata.name, ...found }))
    return [finding(status.reason ?? 'Error', status.message ?? 'the pod failed without a message')]
  }
  const scheduled = conditionOf(pod, 'PodScheduled')
  if (scheduled?.status === 'False') {
    const claim = claimWarning(events, pod)
    const why = claim === undefined ? '' : `; ${claim.object}: ${claim.message}`
    return [finding(scheduled.reason ?? 'Unschedulable', `${scheduled.message ?? 'no node fits'}${why}`)]
  }
  const containers = containerFindings(pod, events)
  if (containers.length > 0) return containers.map((found) => ({ workload, pod: pod.metadata.name, ...found }))
  const event =
    latestWarning(events, pod.metadata.uid) ?? (scheduled === undefined ? claimWarning(events, pod) : undefined)
  if (event !== undefined) return [finding(event.reason, event.message)]
  return status.phase === 'Running'
    ? [finding('NotReady', 'runs and is not ready yet')]
    : [finding('Pending', scheduled === undefined ? 'is being scheduled' : 'its containers are being created')]
}
