import { isDeepStrictEqual } from 'node:util'
import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { describeRef, type KubeObject, refOf } from '../kubernetes/objects.ts'

/**
 * Names of the objects that are not as their manifest says: deleted, or a field changed by hand. The API server judges, by a dry run of applying
 * the manifest, so defaults and the many ways to write a quantity make no difference. A field that somebody added and the manifest does not mention is no drift.
 */
export async function findDrift(kubernetes: Kubernetes, manifest: readonly KubeObject[]): Promise<string[]> {
  const drifted = await Promise.all(
    manifest.map(async (object) => {
      const same = await lookAgain(
        () => conforms(kubernetes, object),
        (conforming) => conforming,
      )
      return same ? undefined : object
    }),
  )
  return drifted.flatMap((object) => (object === undefined ? [] : describeRef(refOf(object))))
}

const looks = 3

/** A controller may write between our two looks, as the Deployment's does to a new one: a difference counts when it stays. Resolves with what was seen last. */
export async function lookAgain<T>(look: () => Promise<T>, isSame: (seen: T) => boolean): Promise<T> {
  let seen = await look()
  for (let count = 1; count < looks && !isSame(seen); count++) seen = await look()
  return seen
}

async function conforms(kubernetes: Kubernetes, object: KubeObject): Promise<boolean> {
  const live = await kubernetes.get(refOf(object))
  if (live === undefined || live.metadata.deletionTimestamp !== undefined) return false
  try {
    const applied = await kubernetes.apply(object, { dryRun: true })
    return sameObject(live, applied)
  } catch (error) {
    // Refused as invalid: what is there differs in a field that cannot be changed. Helm says it better.
    if (error instanceof ApiError && error.status === 422) return false
    throw error
  }
}

/** Whether a write would change anything that a manifest can say. */
export function sameObject(live: KubeObject, applied: KubeObject): boolean {
  return isDeepStrictEqual(comparable(live), comparable(applied))
}

/** Without what every write changes, and without the status, which is not the manifest's. */
function comparable(object: KubeObject): object {
  const { managedFields: _fields, resourceVersion: _version, generation: _generation, ...metadata } = object.metadata
  const { status: _status, ...rest } = object
  return { ...rest, metadata }
}
