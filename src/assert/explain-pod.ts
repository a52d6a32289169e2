import { conditionOf, isReady } from '../kubernetes/conditions.ts'
import type { KubeObject } from '../kubernetes/objects.ts'

interface ContainerStatus {
  readonly name: string
  readonly ready: boolean
  readonly restartCount: number
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string }
    readonly running?: { readonly startedAt: string }
    readonly terminated?: { readonly reason?: string; readonly exitCode: number }
  }
  readonly lastState?: {
    readonly terminated?: {
      readonly startedAt: string
      readonly finishedAt: string
      readonly reason?: string
      readonly exitCode: number
    }
  }
}

export function containerStatuses(pod: KubeObject): readonly ContainerStatus[] {
  return pod['status']?.containerStatuses ?? []
}

/** Ready and not on its way out. */
export function isPodReady(pod: KubeObject): boolean {
  return pod.metadata.deletionTimestamp === undefined && isReady(pod)
}

/** Succeeded or failed for good: pods of Jobs, evicted pods. */
export function isPodFinished(pod: KubeObject): boolean {
  return ['Succeeded', 'Failed'].includes(pod['status']?.phase)
}

/** Why a pod is not Ready, the most telling cause first: `ImagePullBackOff: Back-off pulling image "x"`. */
export function explainPod(pod: KubeObject): string {
  if (pod.metadata.deletionTimestamp !== undefined) return 'terminating'
  const statuses = [...(pod['status']?.initContainerStatuses ?? []), ...containerStatuses(pod)] as ContainerStatus[]
  for (const status of statuses) {
    const waiting = status.state?.waiting
    if (
      waiting?.reason !== undefined &&
      waiting.reason !== 'ContainerCreating' &&
      waiting.reason !== 'PodInitializing'
    ) {
      return `${status.name} ${waiting.reason}${waiting.message === undefined ? '' : `: ${firstLine(waiting.message)}`}`
    }
    const terminated = status.state?.terminated
    if (terminated !== undefined && terminated.exitCode !== 0) {
      return `${status.name} ended with ${terminated.exitCode} (${terminated.reason ?? 'no reason given'})`
    }
  }
  const scheduled = conditionOf(pod, 'PodScheduled')
  if (scheduled?.status === 'False')
    return `${scheduled.reason ?? 'not scheduled'}: ${firstLine(scheduled.message ?? '')}`
  const ready = conditionOf(pod, 'Ready')
  if (ready?.status === 'False')
    return `${pod['status']?.phase ?? 'Unknown'}, not Ready: ${firstLine(ready.message ?? ready.reason ?? 'no reason given')}`
  return String(pod['status']?.phase ?? 'no status yet')
}

export function firstLine(text: string, most = 300): string {
  const line = text.trim().split('\n')[0] ?? ''
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}
