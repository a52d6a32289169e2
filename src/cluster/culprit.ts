import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { messageOf, ToolkitError } from '../process/errors.ts'
import { shorten, waitingReason } from './reasons.ts'

const mostEvents = 8
const mostPods = 3
const logLines = 8
/** So much of a fact's end must be in the message already to count as told. */
const factLength = 60

/**
 * What a person would ask next: warning events about the objects that `reason` names, and the last log lines of pods that are not ready. Short lines, oldest first.
 */
export async function evidenceFor(kubernetes: Kubernetes, reason: string): Promise<string[]> {
  const [events, pods] = await Promise.all([
    kubernetes.list({ apiVersion: 'v1', kind: 'Event' }),
    kubernetes.list({ apiVersion: 'v1', kind: 'Pod' }),
  ])
  const troubled = pods.filter((pod) => podTrouble(pod) !== undefined).slice(0, mostPods)
  const names = new Set(troubled.map((pod) => pod.metadata.name))
  const warnings = events
    .filter((event) => event['type'] === 'Warning')
    .filter(
      (event) => names.has(event['involvedObject']?.name) || reason.includes(String(event['involvedObject']?.name)),
    )
    .sort((a, b) => lastSeen(a).localeCompare(lastSeen(b)))
    .slice(-mostEvents)
  const logs = await Promise.all(troubled.map((pod) => podLog(kubernetes, pod)))
  return [
    ...troubled.map((pod) => `Pod ${pod.metadata.namespace}/${pod.metadata.name}: ${podTrouble(pod)}`),
    ...warnings.map(
      (event) =>
        `event ${event['reason']} on ${event['involvedObject']?.kind} ${event['involvedObject']?.name}: ${shorten(String(event['message'] ?? ''))}`,
    ),
    ...logs.flat(),
  ]
}

/** Why a pod does not run as it should, or undefined: a waiting or crashed container, a pod nobody schedules, an early end. */
export function podTrouble(pod: KubeObject): string | undefined {
  const status = pod['status']
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
  for (const container of containers) {
    const { waiting, terminated } = container.state ?? {}
    if (waiting !== undefined && waiting.reason !== 'PodInitializing') {
      return `${container.name} ${waitingReason(waiting)}`
    }
    if (terminated !== undefined && terminated.exitCode !== 0)
      return `${container.name} ended with exit code ${terminated.exitCode}`
  }
  const scheduled = (status?.conditions ?? []).find((condition: { type: string }) => condition.type === 'PodScheduled')
  if (scheduled?.status === 'False') return `not scheduled: ${scheduled.message}`
  if (status?.phase === 'Failed')
    return `${status.reason ?? 'Failed'}${status.message === undefined ? '' : `: ${status.message}`}`
  const unready = status?.phase === 'Running' && containers.find((container) => container.ready === false)
  return unready ? `${unready.name} runs and is not ready` : undefined
}

/** The failure of a cluster in one line, for the annotation: what, and the one fact that explains it best. */
export function culpritOf(error: unknown): string {
  if (!(error instanceof ToolkitError)) return messageOf(error)
  const fact = error.diagnostics.find((line) => /^(Pod|event) /.test(line))
  const told = fact === undefined || error.message.includes(fact.slice(fact.indexOf(': ') + 2).slice(-factLength))
  return told ? error.message : `${error.message} (${fact})`
}

function lastSeen(event: KubeObject): string {
  return String(event['lastTimestamp'] ?? event['eventTime'] ?? event.metadata.creationTimestamp ?? '')
}

async function podLog(kubernetes: Kubernetes, pod: KubeObject): Promise<string[]> {
  const { name, namespace = 'default' } = pod.metadata
  const restarted = (pod['status']?.containerStatuses ?? []).some(
    (container: { restartCount: number }) => container.restartCount > 0,
  )
  try {
    const text = await kubernetes.logs({
      namespace,
      pod: name,
      tailLines: logLines,
      ...(restarted ? { previous: true } : {}),
    })
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `${name}: ${line}`)
  } catch {
    // A container that never started has none; its waiting reason is already told.
    return []
  }
}
