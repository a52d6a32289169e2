import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { Discovery } from '../kubernetes/discovery.ts'
import { groupOf, isCustom } from '../kubernetes/object-state.ts'
import type { KubeObject, ResourceKind } from '../kubernetes/objects.ts'
import { type Problem, UnsupportedError } from '../process/errors.ts'
import type { SourcedObject } from './parse-manifests.ts'

/** An object with its namespace settled. */
export interface ScopedObject extends SourcedObject {
  /** Its kind comes with this very deployment: the server does not know it yet. */
  readonly kindIsNew: boolean
}

/**
 * Gives each object its namespace, or none where its kind has none. Kinds are asked of the server, and of the definitions among the objects.
 * @param given The namespace a person asked for: an object that names another one contradicts.
 */
export async function settleScopes(
  kubernetes: Kubernetes,
  objects: readonly SourcedObject[],
  namespace: { readonly name: string; readonly given: boolean },
): Promise<{ objects: ScopedObject[]; problems: Problem[] }> {
  const discovery = new Discovery((path) => kubernetes.raw(path))
  const definitions = objects.map(({ object }) => object).filter(({ kind }) => kind === 'CustomResourceDefinition')
  const known = new Map<string, Promise<Scope | undefined>>()
  const scopeOf = (kind: ResourceKind): Promise<Scope | undefined> => {
    const key = `${kind.apiVersion} ${kind.kind}`
    const scope = known.get(key) ?? findScope(discovery, definitions, kind)
    known.set(key, scope)
    return scope
  }
  const problems: Problem[] = []
  const settled = await Promise.all(
    objects.map(async (source) => {
      const { object, at } = source
      const scope = await scopeOf(object)
      const name = `${at} ${object.kind} ${object.metadata.name}`
      const own = object.metadata.namespace
      if (scope === undefined) {
        problems.push({
          name,
          problem: `has a kind that the cluster does not know: ${object.kind} in ${object.apiVersion}`,
          allowed: 'kinds of the cluster, or of a CustomResourceDefinition among the manifests',
        })
        return []
      }
      if (!scope.namespaced) {
        if (own === undefined) return [{ ...source, kindIsNew: scope.isNew }]
        problems.push({ name, value: own, problem: 'names a namespace, and its kind has none' })
        return []
      }
      if (own !== undefined && namespace.given && own !== namespace.name) {
        problems.push({
          name,
          value: own,
          problem: `is for another namespace than asked for (${namespace.name})`,
          allowed: 'no namespace in the manifest, or none asked for',
        })
        return []
      }
      const metadata = { ...object.metadata, namespace: own ?? namespace.name }
      return [{ ...source, object: { ...object, metadata }, kindIsNew: scope.isNew }]
    }),
  )
  return { objects: settled.flat(), problems }
}

interface Scope {
  readonly namespaced: boolean
  readonly isNew: boolean
}

async function findScope(
  discovery: Discovery,
  definitions: readonly KubeObject[],
  kind: ResourceKind,
): Promise<Scope | undefined> {
  try {
    return { namespaced: (await discovery.resource(kind)).namespaced, isNew: false }
  } catch (error) {
    const unknown = error instanceof UnsupportedError || (error instanceof ApiError && error.status === 404)
    if (!unknown) throw error
  }
  const definition = definitions.find(({ spec }) => spec?.group === groupOf(kind) && spec?.names?.kind === kind.kind)
  return definition === undefined ? undefined : { namespaced: definition['spec'].scope === 'Namespaced', isNew: true }
}

/** Of Kubernetes' own kinds, those without a namespace. */
const clusterKinds = new Set([
  'APIService',
  'CSIDriver',
  'CertificateSigningRequest',
  'ClusterRole',
  'ClusterRoleBinding',
  'CustomResourceDefinition',
  'DeviceClass',
  'FlowSchema',
  'IngressClass',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
  'MutatingWebhookConfiguration',
  'Namespace',
  'PersistentVolume',
  'PriorityClass',
  'PriorityLevelConfiguration',
  'RuntimeClass',
  'StorageClass',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
  'VolumeAttributesClass',
])

/** Takes the namespace, which Helm's manifests do not settle, from objects whose kind has none. The server is asked about custom kinds only. */
export async function withScopes(kubernetes: Kubernetes, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  const discovery = new Discovery((path) => kubernetes.raw(path))
  return Promise.all(
    objects.map(async (object) => {
      const namespaced = isCustom(object)
        ? (await findScope(discovery, objects, object))?.namespaced !== false
        : !clusterKinds.has(object.kind)
      if (namespaced) return object
      const { namespace: _none, ...metadata } = object.metadata
      return { ...object, metadata }
    }),
  )
}
