import { isAwaited, type ObjectState, type StateContext, stateOf } from '../kubernetes/object-state.ts'
import { describeRef, type KubeObject, type ObjectRef, type ResourceKind } from '../kubernetes/objects.ts'
import { type ClusterView, explain } from './explain.ts'
import { type Finding, renderFinding } from './finding.ts'

/** One object to wait for, at the generation that was applied, where that is known. */
export type Awaited = ObjectRef & { readonly generation?: number }

/** What of the objects applied is to be waited for: the rest exists as soon as it is accepted. */
export function awaitedOf(applied: readonly KubeObject[]): Awaited[] {
  return applied.flatMap((object) => {
    const { apiVersion, kind, metadata, spec } = object
    const { name, namespace, generation } = metadata
    const ref = { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) }
    if (!isAwaited(ref) || (kind === 'Service' && spec?.type !== 'LoadBalancer')) return []
    return [{ ...ref, ...(generation === undefined ? {} : { generation }) }]
  })
}

/** What the watches have shown so far, by kind and namespace; a set that is missing was not read yet. */
export type WatchedSets = ReadonlyMap<string, readonly KubeObject[]>

export function setKey(kind: ResourceKind, namespace: string | undefined): string {
  return `${kind.apiVersion} ${kind.kind} ${namespace ?? ''}`
}

export interface RolloutProgress {
  readonly view: ClusterView
  readonly findings: readonly Finding[]
  /** What is missing of each object that must still become ready, or undefined when none is. */
  readonly reason: string | undefined
  /** Objects that nobody may ever report on, with what is missing; only these are left when `reason` is undefined. */
  readonly soft: readonly string[]
  /** Some container has no readiness probe: that it is ready only says that it was started. */
  readonly unasked: boolean
  /** The same for the log: how many, and the one thing that matters most. */
  readonly progress: string
}

/** In one line of an error. */
const mostNamed = 3

/** Findings that only say what the counters say. */
export const dull = new Set(['InProgress', 'Pending', 'NotReady', 'ProgressDeadlineExceeded', 'JobFailed'])

export function progressOf(wanted: readonly Awaited[], sets: WatchedSets, context: StateContext): RolloutProgress {
  const all = (kind: ResourceKind): KubeObject[] =>
    namespacesOf(wanted).flatMap((namespace) => [...(sets.get(setKey(kind, namespace)) ?? [])])
  const found = wanted.map((ref) => {
    const set = sets.get(setKey(ref, ref.namespace))
    const object = set?.find(({ metadata }) => metadata.name === ref.name)
    return { name: describeRef(ref), read: set !== undefined, object, state: stateAt(ref, set, object, context) }
  })
  const view: ClusterView = {
    workloads: found.flatMap(({ object }) => object ?? []),
    replicaSets: all({ apiVersion: 'apps/v1', kind: 'ReplicaSet' }),
    pods: all({ apiVersion: 'v1', kind: 'Pod' }),
    events: all({ apiVersion: 'v1', kind: 'Event' }),
    context,
  }
  const findings = explain(view)
  const unasked = view.workloads.some(isUnasked)
  const unfinished = found.filter(({ state }) => !state.done && state.soft !== true)
  const soft = found
    .filter(({ state }) => !state.done && state.soft === true)
    .map((entry) => `${entry.name} ${entry.state.reason}`)
  const first = unfinished[0]
  if (first === undefined) {
    return {
      view,
      findings,
      soft,
      unasked,
      reason: undefined,
      progress: soft[0] === undefined ? 'done' : soft.join('; '),
    }
  }
  const worst = findings.find((finding) => !dull.has(finding.reason))
  const matter = worst === undefined ? `${first.name}: ${first.state.reason}` : renderFinding(worst)
  const more = unfinished.length > mostNamed ? `; and ${unfinished.length - mostNamed} more` : ''
  const named = unfinished.slice(0, mostNamed).map(({ name, state }) => `${name}: ${state.reason}`)
  return {
    view,
    findings,
    soft,
    unasked,
    reason: `${named.join('; ')}${more}`,
    progress: found.every(({ read }) => read)
      ? `${wanted.length - unfinished.length - soft.length} of ${wanted.length} objects ready; ${matter}`
      : 'reading the objects',
  }
}

function isUnasked({ kind, spec }: KubeObject): boolean {
  const isLasting = ['Deployment', 'StatefulSet', 'DaemonSet'].includes(kind) && spec?.replicas !== 0
  const containers = (spec?.template?.spec?.containers ?? []) as readonly { readonly readinessProbe?: object }[]
  return isLasting && containers.some(({ readinessProbe }) => readinessProbe === undefined)
}

function stateAt(
  ref: Awaited,
  set: readonly KubeObject[] | undefined,
  object: KubeObject | undefined,
  context: StateContext,
): ObjectState {
  if (set === undefined) return { done: false, reason: 'not read yet' }
  if (object === undefined) return { done: false, reason: 'does not exist' }
  if (object.metadata.deletionTimestamp !== undefined) return { done: false, reason: 'is being deleted' }
  if (ref.generation !== undefined && (object.metadata.generation ?? 0) < ref.generation) {
    return { done: false, reason: `generation ${ref.generation} was applied and is not seen yet` }
  }
  return stateOf(object, context)
}

export function namespacesOf(refs: readonly ObjectRef[]): (string | undefined)[] {
  return [...new Set(refs.map((ref) => ref.namespace))]
}
