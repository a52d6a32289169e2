import { linuxProcessTable, type ProcessTable } from '../cluster/owner.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { expiresAnnotation, ownerAnnotation, type ProbeSetup, probeName, runLabel } from './probe-manifests.ts'

/** The process that runs an assertion run. Unlike a cluster's owner it is read on other machines too, where it says nothing. */
interface RunOwner {
  /** Changes with each boot, and no two machines have the same. */
  readonly bootId: string
  /** Process ids of another PID namespace, such as another job's container, cannot be looked up here. */
  readonly pidNamespace: string
  readonly pid: number
  readonly startTime: string
}

type Place = Pick<ProbeSetup, 'namespace' | 'ownNamespace' | 'nonce'>

const namespaceKind = { apiVersion: 'v1', kind: 'Namespace' } as const
const scriptKind = { apiVersion: 'v1', kind: 'ConfigMap' } as const

/** What {@link ownerAnnotation} says of a process. */
export async function describeOwner(pid: number, table: ProcessTable = linuxProcessTable): Promise<string> {
  const process = await table.process(pid)
  const owner: RunOwner = {
    bootId: await table.bootId(),
    pidNamespace: await table.pidNamespace(),
    pid,
    startTime: process?.startTime ?? '',
  }
  return JSON.stringify(owner)
}

/** Removes what the run made; resolves when accepted. Nothing there is success. */
export async function removeFleet(kubernetes: Kubernetes, place: Place): Promise<void> {
  await kubernetes.delete(
    place.ownNamespace
      ? { ...namespaceKind, name: place.namespace }
      : { ...scriptKind, name: probeName(place), namespace: place.namespace },
  )
}

/**
 * Removes what runs that were killed left behind: those whose process is known to be dead, and those past their time. A live neighbour is left alone, and so
 * is one of another machine until its time has passed.
 * @returns names of what was removed.
 */
export async function sweepDeadRuns(
  kubernetes: Kubernetes,
  place: Place,
  now: Date,
  table: ProcessTable = linuxProcessTable,
): Promise<string[]> {
  const found = await candidates(kubernetes, place)
  const dead: KubeObject[] = []
  for (const object of found) {
    if (object.metadata.deletionTimestamp !== undefined || object.metadata.labels?.[runLabel] === place.nonce) continue
    const expires = Date.parse(object.metadata.annotations?.[expiresAnnotation] ?? '')
    if (expires < now.getTime() || (await isDead(object.metadata.annotations?.[ownerAnnotation], table))) {
      dead.push(object)
    }
  }
  await Promise.all(
    dead.map(({ apiVersion, kind, metadata: { name, namespace } }) =>
      kubernetes.delete({ apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) }),
    ),
  )
  return dead.map((object) => object.metadata.name)
}

/** A run that was given a namespace looks there only: it needs no right to list all. */
async function candidates(kubernetes: Kubernetes, place: Place): Promise<KubeObject[]> {
  if (place.ownNamespace) return kubernetes.list(namespaceKind, { labelSelector: runLabel })
  return kubernetes.list(scriptKind, { namespace: place.namespace, labelSelector: runLabel })
}

async function isDead(annotation: string | undefined, table: ProcessTable): Promise<boolean> {
  const owner = parseOwner(annotation)
  if (owner === undefined || owner.bootId !== (await table.bootId())) return false
  if (owner.pidNamespace !== (await table.pidNamespace())) return false
  return (await table.process(owner.pid))?.startTime !== owner.startTime
}

/** Whoever may write to the cluster may write this: what does not look like ours says nothing. */
function parseOwner(annotation: string | undefined): RunOwner | undefined {
  try {
    const value = JSON.parse(annotation ?? '') as Partial<RunOwner> | null
    const texts = [value?.bootId, value?.pidNamespace, value?.startTime]
    const whole = texts.every((text) => typeof text === 'string' && text !== '') && Number.isSafeInteger(value?.pid)
    return whole ? (value as RunOwner) : undefined
  } catch {
    return undefined
  }
}
