import { createHash } from 'node:crypto'
import type { Kubernetes } from '../kubernetes/client.ts'
import { describeRef, type ObjectRef, refOf } from '../kubernetes/objects.ts'
import { InputError, type Problem } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { type AppliedObject, applyObjects } from './apply-objects.ts'
import { keepAutoscaledReplicas } from './autoscaled-replicas.ts'
import { type CheckedObject, type CheckOptions, checkObjects } from './check-objects.ts'
import { describeConflicts } from './field-conflicts.ts'
import { inventoryId, partOfLabel, readInventory, sameRef, writeInventory } from './inventory.ts'
import { type Connect, removeNamespaces } from './namespace.ts'
import { type ScopedObject, settleScopes } from './object-scopes.ts'
import type { SourcedObject } from './parse-manifests.ts'
import { prepareNamespaces } from './prepare-namespaces.ts'
import { leftBehind, type Pruned, pruneObjects } from './prune-objects.ts'

export interface ObjectsRequest {
  readonly objects: readonly SourcedObject[]
  readonly release: string
  readonly namespace: { readonly name: string; readonly given: boolean }
  readonly createNamespace: boolean
  readonly forceConflicts: boolean
  /** Only tell what would be done. */
  readonly dryRun: boolean
  readonly timeoutMs: number
  readonly connect: Connect
}

export interface AppliedObjects {
  readonly objects: readonly AppliedObject[]
  readonly revision: number
  readonly changed: boolean
  /** Objects of former deployments that the manifests have no more. */
  readonly left: readonly ObjectRef[]
  /** Removes those. To be called when the new ones are ready. */
  readonly prune: (timeoutMs: number) => Promise<Pruned>
  /** When it really began, by the host's monotonic clock, where something had to be fetched first. */
  readonly started?: number
}

/**
 * Applies objects as one release by server-side apply: everything is judged by the server first, every problem is told in one error, and nothing is half done.
 * Objects that are as they should be are not written.
 * @throws InputError MANIFESTS_REFUSED; ToolkitError APPLY_FAILED for what could only be found out on the way.
 */
export async function deployObjects(
  host: Host,
  kubernetes: Kubernetes,
  request: ObjectsRequest,
): Promise<AppliedObjects> {
  const { release, namespace } = request
  const id = inventoryId(namespace.name, release)
  const options: CheckOptions = { fieldManager: `k8s-platform/${release}`, id, force: request.forceConflicts }
  const scoped = await settleScopes(kubernetes, request.objects, namespace)
  if (scoped.problems.length > 0) throw refused(scoped.problems)
  const wanted = await keepAutoscaledReplicas(
    kubernetes,
    scoped.objects.map((source) => marked(source, id)),
  )
  const checked = await checkAll(host, kubernetes, wanted, request, options)
  const refs = checked.map(({ object }) => refOf(object))
  const former = await readInventory(kubernetes, namespace.name, release)
  const left = leftBehind(former?.objects ?? [], refs)
  const changed = checked.some(({ change }) => change !== 'unchanged')
  const inputs = digestOf(scoped.objects)
  const revision = (former?.revision ?? 0) + (changed || former === undefined ? 1 : 0)
  const planned = checked.map(({ object, live, change }) => ({
    object: change === 'unchanged' ? (live ?? object) : object,
    change,
  }))
  if (request.dryRun)
    return { objects: planned, revision, changed, left, prune: async () => ({ removed: [], kept: left }) }

  tellDrift(host, checked, former?.inputs === inputs)
  const record = (objects: readonly ObjectRef[], digest: string): Promise<void> =>
    writeInventory(kubernetes, namespace.name, release, { revision, inputs: digest, objects })
  const isNew = changed || former === undefined || former.inputs !== inputs
  // Before anything is made, so that a run that is killed leaves nothing that nobody knows of.
  if (isNew) await record([...refs, ...left], '')
  const objects = await applyObjects(host, kubernetes, checked, options, request.timeoutMs)
  if (isNew) await record([...refs, ...left], inputs)
  const prune = async (timeoutMs: number): Promise<Pruned> => {
    if (left.length === 0) return { removed: [], kept: [] }
    const { removed, kept } = await pruneObjects(host, kubernetes, left, id, timeoutMs)
    await record([...refs, ...kept.filter((ref) => !refs.some((other) => sameRef(ref, other)))], inputs)
    return { removed, kept }
  }
  return { objects, revision, changed, left, prune }
}

/** The server's judgement of everything; namespaces made for it are removed again when it is no. */
async function checkAll(
  host: Host,
  kubernetes: Kubernetes,
  objects: readonly ScopedObject[],
  request: ObjectsRequest,
  options: CheckOptions,
): Promise<CheckedObject[]> {
  const made: string[] = []
  let accepted = false
  try {
    const { missing, problems } = await prepareNamespaces(
      kubernetes,
      objects,
      { namespace: request.namespace.name, create: request.createNamespace, dryRun: request.dryRun, made },
      options,
    )
    if (problems.length > 0) throw refused(problems)
    const isMissing = ({ object }: ScopedObject): boolean => missing.has(object.metadata.namespace ?? '')
    const result = await checkObjects(
      kubernetes,
      objects.filter((source) => !isMissing(source)),
      options,
    )
    if (result.problems.length > 0) throw refused(result.problems)
    accepted = true
    const unjudged = objects
      .filter(isMissing)
      .map((source): CheckedObject => ({ ...source, change: 'create', live: undefined, overruled: [], deferred: true }))
    const isMade = ({ object }: CheckedObject): boolean =>
      object.kind === 'Namespace' && made.includes(object.metadata.name)
    return [
      ...result.checked.map((entry) => (isMade(entry) ? { ...entry, change: 'create' as const } : entry)),
      ...unjudged,
    ]
  } finally {
    if (!accepted) await removeNamespaces(host, request.connect, made)
  }
}

function refused(problems: readonly Problem[]): InputError {
  return new InputError(problems, { code: 'MANIFESTS_REFUSED', hint: 'Nothing was applied.' })
}

function marked(source: ScopedObject, id: string): ScopedObject {
  const { metadata } = source.object
  const labels = { ...metadata.labels, [partOfLabel]: id }
  return { ...source, object: { ...source.object, metadata: { ...metadata, labels } } }
}

function digestOf(objects: readonly ScopedObject[]): string {
  return createHash('sha256')
    .update(JSON.stringify(objects.map(({ object }) => object)))
    .digest('hex')
    .slice(0, 32)
}

/** What somebody else did since the last deployment, when the manifests are the same or a field was taken back. */
function tellDrift(host: Host, checked: readonly CheckedObject[], sameInputs: boolean): void {
  const differing = checked.filter(
    ({ change, overruled }) => (sameInputs && change !== 'unchanged') || overruled.length > 0,
  )
  if (differing.length === 0) return
  const lines = differing.map(({ object, live, overruled }) => {
    const isGone = live === undefined || live.metadata.deletionTimestamp !== undefined
    const how = isGone ? ' (deleted)' : overruled.length === 0 ? '' : ` (${describeConflicts(overruled)})`
    return `${describeRef(refOf(object))}${how}`
  })
  host.log.notice(`changed since the last deployment, put right now: ${lines.join('; ')}`)
}
