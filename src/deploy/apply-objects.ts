import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { stateOf, unknownContext } from '../kubernetes/object-state.ts'
import { describeRef, type KubeObject, refOf } from '../kubernetes/objects.ts'
import { messageOf, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { waitFor } from '../process/wait.ts'
import { inPhases } from './apply-order.ts'
import { applyOptions, type Change, type CheckedObject, type CheckOptions, requestsAtOnce } from './check-objects.ts'
import { inParallel } from './in-parallel.ts'

/** An object as the server has it after the deployment. */
export interface AppliedObject {
  readonly object: KubeObject
  readonly change: Change
}

const definitionKind = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' }

/**
 * Applies what differs, phase by phase, in the order that objects need each other. Definitions are waited for before anything of their kinds is applied.
 * @throws ToolkitError APPLY_FAILED, which tells what was applied before.
 */
export async function applyObjects(
  host: Host,
  kubernetes: Kubernetes,
  checked: readonly CheckedObject[],
  options: CheckOptions,
  timeoutMs: number,
): Promise<AppliedObject[]> {
  const applied: AppliedObject[] = []
  const deadline = host.clock.monotonic() + timeoutMs
  const left = (): number => Math.max(1, Math.ceil(deadline - host.clock.monotonic()))
  for (const phase of inPhases(checked, ({ object }) => object)) {
    const results = await inParallel(phase, requestsAtOnce, async (entry) => {
      if (entry.change === 'unchanged' && entry.live !== undefined) return { object: entry.live, change: entry.change }
      if (entry.live?.metadata.deletionTimestamp !== undefined) await untilGone(kubernetes, entry.live, left())
      const object = await applyOne(kubernetes, entry, options, applied)
      host.log.debug(`${entry.change}: ${describeRef(refOf(object))}`)
      return { object, change: entry.change }
    })
    applied.push(...results)
    const definitions = results.map(({ object }) => object).filter((object) => object.kind === definitionKind.kind)
    if (definitions.length > 0) await definitionsEstablished(host, kubernetes, definitions, left())
  }
  return applied
}

/** An object that is ending takes changes and ends all the same. */
export async function untilGone(kubernetes: Kubernetes, live: KubeObject, timeoutMs: number): Promise<void> {
  const { name, namespace, uid } = live.metadata
  const { finalizers = [] } = live.metadata as { finalizers?: readonly string[] }
  const scope = { fieldSelector: `metadata.name=${name}`, ...(namespace === undefined ? {} : { namespace }) }
  await kubernetes.until(`end of the old ${describeRef(refOf(live))}`, live, scope, {
    timeoutMs,
    done: (seen) => !seen.some(({ metadata }) => metadata.uid === uid),
    explain: (seen) =>
      `it is being deleted since ${seen[0]?.metadata.deletionTimestamp ?? live.metadata.deletionTimestamp}`,
    ...(finalizers.length === 0 ? {} : { hint: `Its finalizers hold it: ${finalizers.join(', ')}` }),
  })
}

async function applyOne(
  kubernetes: Kubernetes,
  entry: CheckedObject,
  options: CheckOptions,
  before: readonly AppliedObject[],
): Promise<KubeObject> {
  try {
    return await kubernetes.apply(entry.object, applyOptions(options, entry.overruled.length > 0))
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const name = describeRef(refOf(entry.object))
    const done = before.filter(({ change }) => change !== 'unchanged').map(({ object }) => describeRef(refOf(object)))
    const checkedBefore = entry.deferred
      ? 'it could be checked only after what it needs'
      : 'although the server had agreed to it before'
    throw new ToolkitError(`${entry.at} ${name} is refused, ${checkedBefore}: ${error.answer}`, {
      code: 'APPLY_FAILED',
      hint: 'Nothing is taken back; run it again when the cause is mended.',
      cause: error,
      diagnostics: done.length === 0 ? ['nothing was applied before it'] : ['applied before it:', ...done],
    })
  }
}

/** Established, and served: the server may take another moment for the latter. */
async function definitionsEstablished(
  host: Host,
  kubernetes: Kubernetes,
  definitions: readonly KubeObject[],
  timeoutMs: number,
): Promise<void> {
  const names = new Set(definitions.map(({ metadata }) => metadata.name))
  const open = (seen: readonly KubeObject[]): string[] =>
    seen.flatMap((object) => {
      if (!names.has(object.metadata.name)) return []
      const state = stateOf(object, unknownContext)
      return state.done ? [] : [`${object.metadata.name}: ${state.reason}`]
    })
  await kubernetes.until(
    'definitions',
    definitionKind,
    {},
    {
      timeoutMs,
      done: (seen) => open(seen).length === 0,
      explain: (seen) => open(seen).join('; '),
    },
  )
  const groups = definitions.flatMap(({ spec }) =>
    (spec.versions as { name: string; served: boolean }[])
      .filter(({ served }) => served)
      .map(({ name }) => ({ path: `/apis/${spec.group}/${name}`, kind: String(spec.names.kind) })),
  )
  // Discovery cannot be watched.
  await waitFor(
    host,
    'kinds of the definitions',
    async () => {
      const unserved = await Promise.all(groups.map((group) => isServed(kubernetes, group)))
      return unserved.flatMap((reason) => reason ?? [])
    },
    { timeoutMs, done: (unserved) => unserved.length === 0, explain: (unserved) => unserved.join('; ') },
  )
}

async function isServed(
  kubernetes: Kubernetes,
  { path, kind }: { readonly path: string; readonly kind: string },
): Promise<string | undefined> {
  try {
    const { resources } = JSON.parse(await kubernetes.raw(path)) as { resources: readonly { kind: string }[] }
    return resources.some((resource) => resource.kind === kind) ? undefined : `${path} has no ${kind} yet`
  } catch (error) {
    return messageOf(error)
  }
}
