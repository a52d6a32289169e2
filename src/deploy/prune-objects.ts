import type { Kubernetes } from '../kubernetes/client.ts'
import { describeRef, type KubeObject, type ObjectRef } from '../kubernetes/objects.ts'
import type { Host } from '../process/host.ts'
import { inPhases } from './apply-order.ts'
import { partOfLabel, sameRef } from './inventory.ts'

/** What takes everything in it along, or the only copy of somebody's data: a person deletes it, not the lack of a line. */
const keptKinds = new Set(['Namespace', 'CustomResourceDefinition', 'PersistentVolumeClaim', 'PersistentVolume'])

/** Objects of former deployments that are in the manifests no more. */
export function leftBehind(former: readonly ObjectRef[], wanted: readonly ObjectRef[]): ObjectRef[] {
  return former.filter((ref) => !wanted.some((other) => sameRef(ref, other)))
}

/** Removes them, in the reverse order of applying. Resolves with what is still there: kinds that are kept, and what is not marked as ours any more. */
export async function pruneObjects(
  host: Host,
  kubernetes: Kubernetes,
  refs: readonly ObjectRef[],
  id: string,
): Promise<{ removed: ObjectRef[]; kept: ObjectRef[] }> {
  const removed: ObjectRef[] = []
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
      host.log.info(`pruned ${describeRef(ref)}`)
      removed.push(ref)
    }
  }
  return { removed, kept }
}
