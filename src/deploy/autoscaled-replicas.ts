import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { groupOf } from '../kubernetes/object-state.ts'
import { type KubeObject, refOf } from '../kubernetes/objects.ts'
import type { ScopedObject } from './object-scopes.ts'

/**
 * Leaves the number of replicas to the autoscaler that has it: an object that a HorizontalPodAutoscaler of the cluster targets is applied with the number it has now.
 * Leaving the field out instead would set it back to 1 where nobody but us has written it yet.
 */
export async function keepAutoscaledReplicas(
  kubernetes: Kubernetes,
  objects: readonly ScopedObject[],
): Promise<ScopedObject[]> {
  const scalable = objects.filter(({ object }) => object['spec']?.replicas !== undefined)
  const namespaces = [...new Set(scalable.flatMap(({ object }) => object.metadata.namespace ?? []))]
  const scalers = (await Promise.all(namespaces.map((namespace) => autoscalers(kubernetes, namespace)))).flat()
  return Promise.all(
    objects.map(async (source) => {
      const { object } = source
      if (!scalable.includes(source) || !scalers.some((scaler) => targets(scaler, object))) return source
      const replicas: number | undefined = (await kubernetes.get(refOf(object)))?.['spec']?.replicas
      if (replicas === undefined) return source
      return { ...source, object: { ...object, spec: { ...object['spec'], replicas } } }
    }),
  )
}

async function autoscalers(kubernetes: Kubernetes, namespace: string): Promise<KubeObject[]> {
  try {
    return await kubernetes.list({ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' }, { namespace })
  } catch (error) {
    // Who may not read them has not made them; then the server tells of the conflict.
    if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return []
    throw error
  }
}

function targets(scaler: KubeObject, object: KubeObject): boolean {
  const target = (scaler['spec']?.scaleTargetRef ?? {}) as { apiVersion?: string; kind?: string; name?: string }
  return (
    scaler.metadata.namespace === object.metadata.namespace &&
    target.kind === object.kind &&
    target.name === object.metadata.name &&
    groupOf({ apiVersion: target.apiVersion ?? 'apps/v1', kind: object.kind }) === groupOf(object)
  )
}
