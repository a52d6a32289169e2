import { conditionOf } from './conditions.ts'
import { describeRef, type KubeObject, type ResourceKind, refOf } from './objects.ts'

/** Where a workload's rollout stands. `reason` says what is missing, in the words of kubectl where it has any. */
export interface RolloutState {
  readonly done: boolean
  readonly reason: string
  /** True where the controller itself has given up, so that waiting is pointless. */
  readonly failed?: boolean
}

/** The kinds that roll out. Everything else in a release exists as soon as it is accepted. */
export const workloadKinds: readonly ResourceKind[] = [
  { apiVersion: 'apps/v1', kind: 'Deployment' },
  { apiVersion: 'apps/v1', kind: 'StatefulSet' },
  { apiVersion: 'apps/v1', kind: 'DaemonSet' },
  { apiVersion: 'batch/v1', kind: 'Job' },
]

export function isWorkload(object: ResourceKind): boolean {
  return workloadKinds.some((known) => known.kind === object.kind && known.apiVersion === object.apiVersion)
}

/**
 * Judges a workload by its own status, at its own generation: a controller that has not looked at the latest change yet has not rolled it out, whatever
 * its counters still say about the one before.
 */
export function rolloutOf(workload: KubeObject): RolloutState {
  const observed = workload['status']?.observedGeneration as number | undefined
  if (workload.kind !== 'Job' && (observed ?? 0) < (workload.metadata.generation ?? 0)) {
    return pending(
      `generation ${workload.metadata.generation} not seen by its controller yet (at ${observed ?? 'none'})`,
    )
  }
  switch (workload.kind) {
    case 'Deployment':
      return deployment(workload)
    case 'StatefulSet':
      return statefulSet(workload)
    case 'DaemonSet':
      return daemonSet(workload)
    case 'Job':
      return job(workload)
    default:
      return done
  }
}

/** `Deployment shop/web: 1 of 2 pods available`, or undefined when it has rolled out. */
export function rolloutReason(workload: KubeObject): string | undefined {
  const state = rolloutOf(workload)
  return state.done ? undefined : `${describeRef(refOf(workload))}: ${state.reason}`
}

const done: RolloutState = { done: true, reason: 'rolled out' }

function pending(reason: string): RolloutState {
  return { done: false, reason }
}

function deployment(workload: KubeObject): RolloutState {
  const wanted: number = workload['spec']?.replicas ?? 1
  const {
    replicas = 0,
    updatedReplicas = 0,
    availableReplicas = 0,
  } = (workload['status'] ?? {}) as Record<string, number>
  const progressing = conditionOf(workload, 'Progressing')
  if (progressing?.reason === 'ProgressDeadlineExceeded') {
    return { done: false, failed: true, reason: progressing.message ?? 'exceeded its progress deadline' }
  }
  // Its controller scales a paused Deployment and replaces nothing: the new pods never come.
  if (updatedReplicas < wanted && workload['spec']?.paused === true) {
    return { done: false, failed: true, reason: 'is paused (spec.paused), so its new pods are not made' }
  }
  if (updatedReplicas < wanted) return pending(`${updatedReplicas} of ${wanted} new pods exist`)
  if (replicas > updatedReplicas) return pending(`${replicas - updatedReplicas} old pods still run`)
  if (availableReplicas < updatedReplicas) return pending(`${availableReplicas} of ${updatedReplicas} pods available`)
  return done
}

function statefulSet(workload: KubeObject): RolloutState {
  const wanted: number = workload['spec']?.replicas ?? 1
  const status = (workload['status'] ?? {}) as {
    readyReplicas?: number
    updatedReplicas?: number
    currentRevision?: string
    updateRevision?: string
  }
  const { readyReplicas = 0, updatedReplicas = 0 } = status
  if (readyReplicas < wanted) return pending(`${readyReplicas} of ${wanted} pods ready`)
  const strategy = workload['spec']?.updateStrategy ?? {}
  if (strategy.type === 'OnDelete') return done
  // With a partition only the pods from that ordinal up are replaced, and the revision never becomes current.
  const expected = Math.max(0, wanted - ((strategy.rollingUpdate?.partition as number | undefined) ?? 0))
  if (status.updateRevision === status.currentRevision || updatedReplicas >= expected) return done
  return pending(`${updatedReplicas} of ${expected} pods updated`)
}

function daemonSet(workload: KubeObject): RolloutState {
  const {
    desiredNumberScheduled = 0,
    updatedNumberScheduled = 0,
    numberAvailable = 0,
  } = (workload['status'] ?? {}) as Record<string, number>
  if (workload['spec']?.updateStrategy?.type !== 'OnDelete' && updatedNumberScheduled < desiredNumberScheduled) {
    return pending(`${updatedNumberScheduled} of ${desiredNumberScheduled} pods updated`)
  }
  if (numberAvailable < desiredNumberScheduled)
    return pending(`${numberAvailable} of ${desiredNumberScheduled} pods available`)
  return done
}

function job(workload: KubeObject): RolloutState {
  if (conditionOf(workload, 'Complete')?.status === 'True') return done
  const failed = conditionOf(workload, 'Failed')
  if (failed?.status === 'True') {
    return { done: false, failed: true, reason: `failed: ${failed.message ?? failed.reason ?? 'no reason given'}` }
  }
  // Nothing is wrong, and nothing will happen before somebody resumes it.
  if (workload['spec']?.suspend === true) return { done: true, reason: 'is suspended' }
  const { succeeded = 0 } = (workload['status'] ?? {}) as Record<string, number>
  return pending(`${succeeded} of ${workload['spec']?.completions ?? 1} completions`)
}
