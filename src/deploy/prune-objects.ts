import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { describeRef, type KubeObject, type ObjectRef } from '../kubernetes/objects.ts'
import { NotReadyError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { untilGone } from './apply-objects.ts'
import { inPhases } from './apply-order.ts'
import { requestsAtOnce } from './check-objects.ts'
import { inParallel } from './in-parallel.ts'
import { partOfLabel, sameRef } from './inventory.ts'

/** What takes everything in it along, or the only copy of somebody's data: a person deletes it, not the lack of a line. */
const keptKinds = new Set(['Namespace', 'CustomResourceDefinition', 'PersistentVolumeClaim', 'PersistentVolume'])

export interface Pruned {
  /** Seen gone. */
  readonly removed: readonly ObjectRef[]
  /** Ours, and still there. */
  readonly kept: readonly ObjectRef[]
}

/** Objects of former deployments that are in the manifests no more. */
export function leftBehind(former: readonly ObjectRef[], wanted: readonly ObjectRef[]): ObjectRef[] {
  return former.filter((ref) => !wanted.some((other) => sameRef(ref, other)))
}

/**
 * Removes them, in the reverse order of applying, and waits until they are gone. Kept, and to be remembered, are the kinds that prune never deletes and what is still
 * ending when time is up. What is not marked as ours any more is neither.
 */
export async function pruneObjects(
  host: Host,
  kubernetes: Kubernetes,
  refs: readonly ObjectRef[],
  id: string,
  timeoutMs: number,
): Promise<Pruned> {
  const deadline = host.clock.monotonic() + timeoutMs
  const ending: { readonly ref: ObjectRef; readonly live: KubeObject }[] = []
  const kept: ObjectRef[] = []
  const order = inPhases(refs, (ref) => ({ ...ref, metadata: { name: ref.name } }) as KubeObject).reverse()
  for (const ref of order.flat()) {
    const live = await kubernetes.get(ref)
    if (live === undefined) continue
    if (live.metadata.labels?.[partOfLabel] !== id) {
      host.log.notice(`${describeRef(ref)} is in the manifests no more and not ours any longer: left alone`)
    } else if (keptKinds.has(ref.kind)) {
      host.log.notice(`${describeRef(ref)} is in the manifests no more; prune keeps a ${ref.kind}: delete it by hand`)
      kept.push(ref)
    } else {
      await kubernetes.delete(ref)
      ending.push({ ref, live })
    }
  }
  const removed: ObjectRef[] = []
  await inParallel(ending, requestsAtOnce, async ({ ref, live }) => {
    const left = Math.max(1, Math.ceil(deadline - host.clock.monotonic()))
    if (await isGone(host, kubernetes, live, left)) removed.push(ref)
    else kept.push(ref)
  })
  for (const ref of removed) host.log.info(`pruned ${describeRef(ref)}`)
  return { removed, kept }
}

/** A deletion that is accepted is no more than that: finalizers may hold the object for good. */
async function isGone(host: Host, kubernetes: Kubernetes, live: KubeObject, timeoutMs: number): Promise<boolean> {
  try {
    await untilGone(kubernetes, live, timeoutMs)
    return true
  } catch (error) {
    const unseen = error instanceof ApiError && error.status === 403
    if (!(error instanceof NotReadyError || unseen)) throw error
    const hint = error.hint === undefined ? '' : `. ${error.hint}`
    host.log.warning(`deleted, and not seen gone; it stays in the release's inventory: ${error.message}${hint}`)
    return false
  }
}
