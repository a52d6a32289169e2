import { ApiError } from '../kubernetes/api-error.ts'
import type { ApplyOptions, Kubernetes } from '../kubernetes/client.ts'
import { describeRef, type KubeObject, refOf } from '../kubernetes/objects.ts'
import type { Problem } from '../process/errors.ts'
import { lookAgain, sameObject } from './drift.ts'
import { describeConflicts, type FieldConflict, fieldConflicts } from './field-conflicts.ts'
import { inParallel } from './in-parallel.ts'
import { partOfLabel } from './inventory.ts'
import type { ScopedObject } from './object-scopes.ts'
import { cureOf } from './refusal-cures.ts'

export type Change = 'create' | 'change' | 'unchanged'

/** An object that the server would take, and what that would do. */
export interface CheckedObject extends ScopedObject {
  readonly change: Change
  /** As it is now; undefined where it does not exist. */
  readonly live: KubeObject | undefined
  /** Fields that were changed by hand since we applied them; they are taken back. */
  readonly overruled: readonly FieldConflict[]
  /** The server can judge it only when what it needs is there. */
  readonly deferred: boolean
}

export interface CheckOptions {
  readonly fieldManager: string
  /** Value of the label that marks our objects. */
  readonly id: string
  /** Take every field, whoever owns it. */
  readonly force: boolean
}

/** So many requests at once: an API server limits a user's share. */
export const requestsAtOnce = 8

/** Lets the server judge every object by a dry run, so that nothing is begun that cannot be ended. */
export async function checkObjects(
  kubernetes: Kubernetes,
  objects: readonly ScopedObject[],
  options: CheckOptions,
): Promise<{ checked: CheckedObject[]; problems: Problem[] }> {
  const problems: Problem[] = []
  const names = objects.map(({ object }) => object.metadata.name)
  const checked = await inParallel(objects, requestsAtOnce, async (source): Promise<CheckedObject[]> => {
    if (source.kindIsNew) return [{ ...source, change: 'create', live: undefined, overruled: [], deferred: true }]
    try {
      return [{ ...source, ...(await check(kubernetes, source.object, options)), deferred: false }]
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (waitsForAnother(error, names))
        return [{ ...source, change: 'create', live: undefined, overruled: [], deferred: true }]
      const { kind, metadata } = source.object
      problems.push({ name: `${source.at} ${kind} ${metadata.name}`, ...refusal(error) })
      return []
    }
  })
  return { checked: checked.flat(), problems }
}

/** How an object is applied, dry or not, once it is known whether it is ours. */
export function applyOptions(options: CheckOptions, isOurs: boolean): ApplyOptions {
  return { fieldManager: options.fieldManager, strict: true, force: options.force || isOurs }
}

interface Judgement {
  readonly change: Change
  readonly live: KubeObject | undefined
  readonly overruled: FieldConflict[]
}

function check(kubernetes: Kubernetes, object: KubeObject, options: CheckOptions): Promise<Judgement> {
  const look = async (): Promise<Judgement> => {
    const live = await kubernetes.get(refOf(object))
    const { applied, overruled } = await dryRun(kubernetes, object, live, options)
    if (live === undefined || live.metadata.deletionTimestamp !== undefined)
      return { change: 'create', live, overruled: [] }
    return { change: sameObject(live, applied) ? 'unchanged' : 'change', live, overruled }
  }
  return lookAgain(look, ({ change }) => change !== 'change')
}

async function dryRun(
  kubernetes: Kubernetes,
  object: KubeObject,
  live: KubeObject | undefined,
  options: CheckOptions,
): Promise<{ applied: KubeObject; overruled: FieldConflict[] }> {
  const dry = { ...applyOptions(options, false), dryRun: true }
  try {
    return { applied: await kubernetes.apply(object, dry), overruled: [] }
  } catch (error) {
    const overruled = error instanceof ApiError && error.status === 409 ? fieldConflicts(error, live) : []
    if (overruled.length === 0) throw error
    // On our own object a change by hand is drift. One that others apply, or that was never ours, is theirs.
    const ours = live?.metadata.labels?.[partOfLabel] === options.id
    const foreign = overruled.filter((conflict) => !ours || conflict.applies)
    if (foreign.length > 0) throw new ConflictError(object, foreign)
    return { applied: await kubernetes.apply(object, { ...dry, force: true }), overruled }
  }
}

class ConflictError extends ApiError {
  constructor(object: KubeObject, conflicts: readonly FieldConflict[]) {
    const message = `would change fields that belong to others: ${describeConflicts(conflicts)}`
    super(`apply ${describeRef(refOf(object))}`, 409, 'FieldManagerConflict', message)
  }
}

/** `serviceaccount "builder" not found`: refused for want of something that comes with this very deployment. */
function waitsForAnother(error: ApiError, names: readonly string[]): boolean {
  const missing = [...error.answer.matchAll(/"([^"]+)" (?:is )?not found|with name ([\w.-]+) was found/g)]
  const wanted = missing.map((match) => match[1] ?? match[2] ?? '')
  return wanted.length > 0 && wanted.every((name) => names.includes(name))
}

/** What the server says of one object, without the URL it was asked at; and what helps, where that is known. */
export function refusal(error: ApiError): Omit<Problem, 'name'> {
  const problem = error.answer.trim().replace(/\s*\n\s*/g, '; ')
  const allowed = cureOf(`${error.reason} ${problem}`)?.allowed
  return { problem: `is refused: ${problem}`, ...(allowed === undefined ? {} : { allowed }) }
}
