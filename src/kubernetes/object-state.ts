import { type Condition, conditionOf, isReady } from './conditions.ts'
import type { KubeObject, ObjectRef, ResourceKind } from './objects.ts'
import { isWorkload, type RolloutState, rolloutOf } from './workload.ts'

/** Where an object of any kind stands, and whether its own controller is bound to say so. */
export interface ObjectState extends RolloutState {
  /** Nobody may be there to report: it is waited for a short while only, and then said. */
  readonly soft?: boolean
}

/** What cannot be read off the object itself. */
export interface StateContext {
  /** StorageClasses that bind a claim only when a pod uses it. */
  readonly bindsLate: (storageClass: string | undefined) => boolean
  /** Whether objects of this custom kind get conditions from their controller, as their definition says. */
  readonly reportsConditions: (kind: ResourceKind) => boolean
}

export const unknownContext: StateContext = { bindsLate: () => false, reportsConditions: () => false }

/** Kubernetes' own groups; any other belongs to a CustomResourceDefinition or to an aggregated API. */
const ownGroups = new Set([
  '',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'apps',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
])

export function groupOf(kind: ResourceKind): string {
  return kind.apiVersion.includes('/') ? kind.apiVersion.slice(0, kind.apiVersion.indexOf('/')) : ''
}

export function isCustom(kind: ResourceKind): boolean {
  return !ownGroups.has(groupOf(kind))
}

const awaitedKinds = new Set([
  'v1 Pod',
  'v1 PersistentVolumeClaim',
  'v1 Service',
  'v1 ReplicationController',
  'apps/v1 ReplicaSet',
  'networking.k8s.io/v1 Ingress',
  'apiextensions.k8s.io/v1 CustomResourceDefinition',
  'apiregistration.k8s.io/v1 APIService',
])

/** Whether there is anything to wait for: everything else exists as soon as it is accepted. */
export function isAwaited(ref: ObjectRef): boolean {
  return isWorkload(ref) || awaitedKinds.has(`${ref.apiVersion} ${ref.kind}`) || isCustom(ref)
}

/** Judges an object by its own status, at its own generation. */
export function stateOf(object: KubeObject, context: StateContext): ObjectState {
  if (isWorkload(object)) return rolloutOf(object)
  switch (`${object.apiVersion} ${object.kind}`) {
    case 'v1 Pod':
      return pod(object)
    case 'v1 PersistentVolumeClaim':
      return claim(object, context)
    case 'v1 Service':
      return service(object)
    case 'apps/v1 ReplicaSet':
    case 'v1 ReplicationController':
      return replicas(object)
    case 'networking.k8s.io/v1 Ingress':
      return hasAddress(object) ? done : { ...pending('has no address yet'), soft: true }
    case 'apiextensions.k8s.io/v1 CustomResourceDefinition':
      return definition(object)
    case 'apiregistration.k8s.io/v1 APIService':
      return byCondition(object, 'Available')
  }
  return isCustom(object) ? custom(object, context) : done
}

const done: ObjectState = { done: true, reason: 'ready' }

function pending(reason: string): ObjectState {
  return { done: false, reason }
}

function failed(reason: string): ObjectState {
  return { done: false, failed: true, reason }
}

function pod(object: KubeObject): ObjectState {
  const status = object['status'] ?? {}
  if (status.phase === 'Succeeded') return { done: true, reason: 'succeeded' }
  if (status.phase === 'Failed') return failed(`failed: ${status.message ?? status.reason ?? 'a container failed'}`)
  return isReady(object) ? done : pending(`${(status.phase ?? 'Pending').toLowerCase()}, not ready`)
}

function claim(object: KubeObject, context: StateContext): ObjectState {
  const phase = object['status']?.phase
  if (phase === 'Bound') return done
  if (phase === 'Lost') return failed('has lost its volume')
  // A pod that uses it is waited for by itself, and is what binds it.
  if (context.bindsLate(object['spec']?.storageClassName)) return { done: true, reason: 'waits for its first consumer' }
  return pending('is not bound to a volume')
}

function service(object: KubeObject): ObjectState {
  if (object['spec']?.type !== 'LoadBalancer' || hasAddress(object)) return done
  return pending('has no address from a load balancer')
}

function hasAddress(object: KubeObject): boolean {
  return (object['status']?.loadBalancer?.ingress ?? []).length > 0
}

function replicas(object: KubeObject): ObjectState {
  const wanted: number = object['spec']?.replicas ?? 1
  const { observedGeneration = 0, availableReplicas = 0 } = (object['status'] ?? {}) as Record<string, number>
  if (observedGeneration < (object.metadata.generation ?? 0)) return pending('not seen by its controller yet')
  return availableReplicas < wanted ? pending(`${availableReplicas} of ${wanted} pods available`) : done
}

function definition(object: KubeObject): ObjectState {
  const names = conditionOf(object, 'NamesAccepted')
  if (names?.status === 'False') return failed(`its names are taken: ${names.message ?? names.reason ?? ''}`)
  return byCondition(object, 'Established')
}

function byCondition(object: KubeObject, type: string): ObjectState {
  const condition = conditionOf(object, type)
  return condition?.status === 'True' ? done : pending(describe(type, condition))
}

/** Conditions that operators by and large agree on; see kstatus and API conventions. The first one an object has decides. */
const readyConditions = ['Ready', 'Available', 'Established', 'Programmed', 'Healthy']

function custom(object: KubeObject, context: StateContext): ObjectState {
  const status = object['status']
  const generation = object.metadata.generation ?? 0
  const stalled = conditionOf(object, 'Stalled')
  if (stalled?.status === 'True') return failed(describe('Stalled', stalled))
  const type = readyConditions.find((name) => conditionOf(object, name) !== undefined)
  if (type === undefined) {
    if (context.reportsConditions(object)) return { ...pending('its controller has not reported yet'), soft: true }
    return done
  }
  const condition = conditionOf(object, type)
  const observed: number | undefined = condition?.observedGeneration ?? status?.observedGeneration
  if (observed !== undefined && observed < generation)
    return pending(`generation ${generation} not seen by its controller yet (at ${observed})`)
  return condition?.status === 'True' ? done : pending(describe(type, condition))
}

function describe(type: string, condition: Condition | undefined): string {
  if (condition === undefined) return `${type} is not reported yet`
  const why = [condition.reason, condition.message].filter((part) => part !== undefined && part !== '').join(': ')
  return `${type} is ${condition.status}${why === '' ? '' : ` (${why})`}`
}
