import { groupOf, isCustom } from '../kubernetes/object-state.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { boundRole, type Rule } from '../kubernetes/rbac.ts'
import { isExposed } from './deployed-urls.ts'
import { type Occasion, type Permission, type Place, permissions, type Way } from './permissions.ts'

/** An object that is deployed, and what the API calls its kind, as rights are written: `deployments`. */
export interface KnownObject {
  readonly object: KubeObject
  readonly resource: string
}

/** What decides which rights a deployment needs. */
export interface Needs {
  readonly way: Way
  readonly release: string
  readonly namespace: string
  readonly prune: boolean
  /** Namespaces settled: without one is what belongs to the cluster. */
  readonly objects: readonly KnownObject[]
}

/** A rule, and where it holds: without a namespace in the whole cluster. */
export interface Grant {
  readonly namespace: string | undefined
  readonly rule: Rule
}

/** Name of the account. */
export const deployAccount = 'k8s-platform-deploy'

/** The rights that a deployment into namespaces that are there needs, each resource of each place once. */
export function grantsFor(needs: Needs): Grant[] {
  return merged(
    permissions
      .filter(({ way, when }) => (way ?? needs.way) === needs.way && (when === undefined || holds[when](needs)))
      .flatMap((permission) => grantsOf(permission, needs)),
  )
}

const holds: Readonly<Record<Occasion, (needs: Needs) => boolean>> = {
  prune: ({ prune }) => prune,
  // They are part of the printed manifest: a right to make namespaces reaches the whole cluster.
  'missing namespace': () => false,
  replicas: ({ objects }) => objects.some(({ object }) => object['spec']?.replicas !== undefined),
  claims: ({ objects }) => objects.some(({ object }) => object.kind === 'PersistentVolumeClaim'),
  'custom kinds': ({ objects }) => objects.some(({ object }) => isCustom(object)),
  exposed: ({ objects }) => objects.some(({ object }) => isExposed(object)),
}

function grantsOf({ place, on, verbs }: Permission, needs: Needs): Grant[] {
  if (on === 'its kind') {
    return needs.objects.map(({ object, resource }) => ({
      namespace: object.metadata.namespace,
      rule: { group: groupOf(object), resources: [resource], verbs },
    }))
  }
  return on.resources.flatMap((resource) =>
    namespacesOf(place, needs).map((namespace) => ({ namespace, rule: { ...on, resources: [resource], verbs } })),
  )
}

function namespacesOf(place: Place, needs: Needs): (string | undefined)[] {
  if (place === 'release') return [needs.namespace]
  if (place === 'namespaces') return homesOf(needs)
  return [place === 'kube-system' ? place : undefined]
}

/** The release's namespace first, then those of its objects. */
function homesOf({ namespace, objects }: Needs): string[] {
  return [...new Set([namespace, ...objects.flatMap(({ object }) => object.metadata.namespace ?? [])])]
}

function merged(grants: readonly Grant[]): Grant[] {
  const byResource = new Map<string, Grant>()
  for (const grant of grants) {
    const { verbs, ...on } = grant.rule
    const key = JSON.stringify([grant.namespace, on.group, on.resources, on.names])
    const known = byResource.get(key)?.rule.verbs ?? []
    byResource.set(key, { ...grant, rule: { ...on, verbs: [...new Set([...known, ...verbs])] } })
  }
  return [...byResource.values()]
}

/** The namespaces, an account in the release's, and the grants: what an account may do in a namespace is a Role there. */
export function rightsObjects(needs: Needs, grants: readonly Grant[] = grantsFor(needs)): KubeObject[] {
  const account = { namespace: needs.namespace, name: deployAccount }
  // Two releases of one namespace share the account, and keep their roles apart.
  const role = `${deployAccount}-${needs.namespace}-${needs.release}`
  const places = [...new Set(grants.map(({ namespace }) => namespace))]
  return [
    ...homesOf(needs).map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account },
    ...places.flatMap((place) => {
      const rules = grants.filter(({ namespace }) => namespace === place).map(({ rule }) => rule)
      return boundRole(role, place, rules, account)
    }),
  ]
}
