import type { KubeObject } from '../kubernetes/objects.ts'

/**
 * Why a Deployment, DaemonSet or StatefulSet is not rolled out at its present generation, or undefined when it is. A status written for an older generation
 * proves nothing about the present one.
 */
export function rolloutReason(workload: KubeObject): string | undefined {
  const { metadata, spec, status } = workload
  const name = `${workload.kind} ${metadata.namespace}/${metadata.name}`
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) return `${name} not yet seen by its controller`
  const counts = workload.kind === 'DaemonSet' ? daemonSetCounts(status) : replicaCounts(spec, status)
  if (counts.updated < counts.wanted) return `${name} ${counts.updated} of ${counts.wanted} updated`
  if (counts.available < counts.wanted) return `${name} ${counts.available} of ${counts.wanted} available`
  if (counts.total > counts.wanted) return `${name} ${counts.total - counts.wanted} old still running`
  return undefined
}

interface Counts {
  readonly wanted: number
  readonly updated: number
  readonly available: number
  readonly total: number
}

function daemonSetCounts(status: KubeObject['status']): Counts {
  const wanted = status?.desiredNumberScheduled ?? 0
  return {
    wanted,
    updated: status?.updatedNumberScheduled ?? 0,
    available: status?.numberAvailable ?? 0,
    total: wanted,
  }
}

function replicaCounts(spec: KubeObject['spec'], status: KubeObject['status']): Counts {
  return {
    wanted: spec?.replicas ?? 1,
    updated: status?.updatedReplicas ?? 0,
    // StatefulSets of older servers leave availableReplicas out.
    available: status?.availableReplicas ?? status?.readyReplicas ?? 0,
    total: status?.replicas ?? 0,
  }
}
