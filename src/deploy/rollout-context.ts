import type { Kubernetes } from '../kubernetes/client.ts'
import { groupOf, isCustom, type StateContext } from '../kubernetes/object-state.ts'
import type { KubeObject, ResourceKind } from '../kubernetes/objects.ts'

/** What of the cluster decides whether an object is as it should be. What may not be read is taken for unknown. */
export async function rolloutContext(kubernetes: Kubernetes, objects: readonly KubeObject[]): Promise<StateContext> {
  const [classes, reporting] = await Promise.all([
    storageClasses(kubernetes, objects),
    reportingKinds(kubernetes, objects),
  ])
  const bindsLate = (name: string | undefined): boolean =>
    classes.some(
      (entry) =>
        (name === undefined ? isDefault(entry) : entry.metadata.name === name) &&
        entry['volumeBindingMode'] === 'WaitForFirstConsumer',
    )
  return { bindsLate, reportsConditions: (kind) => reporting.has(keyOf(kind)) }
}

async function storageClasses(kubernetes: Kubernetes, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  if (!objects.some(({ kind }) => kind === 'PersistentVolumeClaim')) return []
  return kubernetes.list({ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' }).catch(() => [])
}

function isDefault(storageClass: KubeObject): boolean {
  return storageClass.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true'
}

/** Custom kinds whose definition says that their status has conditions. */
async function reportingKinds(kubernetes: Kubernetes, objects: readonly KubeObject[]): Promise<Set<string>> {
  const custom = objects.filter(isCustom)
  if (custom.length === 0) return new Set()
  const kind = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' }
  const definitions = await kubernetes.list(kind).catch((): KubeObject[] => [])
  const reporting = custom.filter((object) => {
    const definition = definitions.find(({ spec }) => spec.group === groupOf(object) && spec.names.kind === object.kind)
    const version = object.apiVersion.split('/').at(-1)
    const schema = definition?.['spec'].versions.find((entry: { name: string }) => entry.name === version)?.schema
    return schema?.openAPIV3Schema?.properties?.status?.properties?.conditions !== undefined
  })
  return new Set(reporting.map(keyOf))
}

function keyOf(kind: ResourceKind): string {
  return `${kind.apiVersion} ${kind.kind}`
}
