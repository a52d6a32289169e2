import type { KubeObject } from '../kubernetes/objects.ts'

export interface Warning {
  readonly reason: string
  readonly message: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** `PersistentVolumeClaim data-redis-0` */
  readonly object: string
}

/** The warnings about one object, latest first; `reasons` narrows them. */
export function warningsOf(
  events: readonly KubeObject[],
  uid: string | undefined,
  reasons?: readonly string[],
): Warning[] {
  return warnings(
    events,
    (involved, reason) => involved.uid === uid && (reasons === undefined || reasons.includes(reason)),
  )
}

/** The latest warning about a claim the pod waits for. */
export function claimWarning(events: readonly KubeObject[], pod: KubeObject): Warning | undefined {
  const volumes = (pod['spec']?.volumes ?? []) as { persistentVolumeClaim?: { claimName: string } }[]
  const claims = volumes.flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? [])
  return warnings(events, (involved) => involved.kind === 'PersistentVolumeClaim' && claims.includes(involved.name))[0]
}

function warnings(
  events: readonly KubeObject[],
  wanted: (involved: { kind: string; name: string; uid?: string }, reason: string) => boolean,
): Warning[] {
  return events
    .filter((event) => event['type'] === 'Warning' && wanted(event['involvedObject'] ?? {}, String(event['reason'])))
    .map((event) => ({
      reason: String(event['reason']),
      message: String(event['message'] ?? '').trim(),
      at: timeOf(event),
      object: `${event['involvedObject'].kind} ${event['involvedObject'].name}`,
    }))
    .sort((a, b) => b.at - a.at)
}

export function latestWarning(
  events: readonly KubeObject[],
  uid: string | undefined,
  reasons?: readonly string[],
): Warning | undefined {
  return warningsOf(events, uid, reasons)[0]
}

/** A repeated event keeps its name and moves one of several clocks, depending on who wrote it. */
function timeOf(event: KubeObject): number {
  const text =
    event['series']?.lastObservedTime ??
    event['lastTimestamp'] ??
    event['eventTime'] ??
    event.metadata.creationTimestamp
  return text === undefined || text === null ? 0 : Date.parse(text)
}
