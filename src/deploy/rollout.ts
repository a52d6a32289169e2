import type { Kubernetes } from '../kubernetes/client.ts'
import { describeRef, type KubeObject, type ObjectRef, type ResourceKind } from '../kubernetes/objects.ts'
import { isWorkload, rolloutOf } from '../kubernetes/workload.ts'
import { CancelledError, messageOf, NotReadyError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { formatSeconds } from '../process/wait.ts'
import { type ClusterView, explain } from './explain.ts'
import { type Finding, hintFor, renderFinding } from './finding.ts'
import { collectEvidence } from './rollout-evidence.ts'

export interface RolloutRequest {
  /** What people call it: `voting-app`. */
  readonly what: string
  /** Exactly what was applied; kinds that do not roll out are passed over. */
  readonly objects: readonly ObjectRef[]
  /** Milliseconds. */
  readonly timeoutMs: number
  /**
   * A client whose calls end with the signal. The wait follows several kinds at once and ends all watches when it knows enough; it also keeps their own
   * progress out of the log, which gets one line for the whole.
   */
  readonly connect: (signal: AbortSignal) => Promise<Kubernetes>
  /** How long a permanent finding may stand before the wait gives up. Default 20 s: time for the kubelet's second try. */
  readonly giveUpAfterMs?: number
}

const observed: readonly ResourceKind[] = [
  { apiVersion: 'apps/v1', kind: 'ReplicaSet' },
  { apiVersion: 'v1', kind: 'Pod' },
  { apiVersion: 'v1', kind: 'Event' },
]

/**
 * Waits by watch until every workload among the objects has rolled out at its own generation.
 * @throws NotReadyError at the deadline, or earlier when waiting cannot help; it names the culprit and carries events and last log lines.
 */
export async function waitForRollout(host: Host, kubernetes: Kubernetes, request: RolloutRequest): Promise<void> {
  const wanted = request.objects.filter(isWorkload)
  if (wanted.length === 0) return
  const stop = new AbortController()
  const watching = await request.connect(AbortSignal.any([stop.signal, host.signal]))
  const sets = new Map<string, readonly KubeObject[]>()
  const standingSince = new Map<string, number>()
  const outcome = Promise.withResolvers<Outcome>()
  let giveUp: NodeJS.Timeout | undefined
  let said = ''

  const judge = (): void => {
    const state = currentState(wanted, sets)
    if (state.reason === undefined) {
      outcome.resolve({ ok: true })
      return
    }
    if (state.progress !== said) host.log.progress(`waiting for ${request.what}: ${state.progress}`)
    said = state.progress
    const permanent = state.findings.filter((finding) => finding.permanent)
    const left = patience(permanent, standingSince, host.clock.monotonic(), request.giveUpAfterMs ?? 20_000)
    clearTimeout(giveUp)
    if (left === undefined) return
    if (left <= 0) outcome.resolve({ ok: false, early: true })
    else giveUp = setTimeout(judge, left)
  }

  const started = host.clock.monotonic()
  const deadline = setTimeout(() => outcome.resolve({ ok: false, early: false }), request.timeoutMs)
  const onCancel = (): void => outcome.reject(new CancelledError(`cancelled while waiting for ${request.what}`))
  host.signal.addEventListener('abort', onCancel, { once: true })
  if (host.signal.aborted) onCancel()
  const follow = (kind: ResourceKind, namespace: string | undefined): Promise<void> =>
    watching
      .until(request.what, kind, namespace === undefined ? {} : { namespace }, {
        // Ours ends first, with the better message.
        timeoutMs: Math.ceil(request.timeoutMs) + 1_000,
        done: (objects) => {
          sets.set(setKey(kind, namespace), objects)
          judge()
          return false
        },
        explain: () => said,
      })
      .then(
        () => {},
        (error: unknown) => {
          if (stop.signal.aborted || host.signal.aborted) return
          // Without the right to read events or ReplicaSets less can be explained; without the workloads nothing can be known.
          if (isWorkload(kind)) outcome.reject(error)
          else host.log.debug(`${kind.kind}s cannot be followed: ${messageOf(error)}`)
        },
      )
  const followers = namespacesOf(wanted).flatMap((namespace) => {
    const kinds = new Map(wanted.filter((ref) => ref.namespace === namespace).map((ref) => [ref.kind, ref]))
    return [...kinds.values(), ...observed].map(({ apiVersion, kind }) => follow({ apiVersion, kind }, namespace))
  })
  try {
    const end = await outcome.promise
    if (end.ok) return
    throw await notReady(kubernetes, request, currentState(wanted, sets), host.clock.monotonic() - started, end.early)
  } finally {
    clearTimeout(deadline)
    clearTimeout(giveUp)
    host.signal.removeEventListener('abort', onCancel)
    stop.abort()
    await Promise.all(followers)
  }
}

type Outcome = { readonly ok: true } | { readonly ok: false; readonly early: boolean }

interface State {
  readonly view: ClusterView
  readonly findings: readonly Finding[]
  /** What is missing of each workload, or undefined when all is rolled out. */
  readonly reason: string | undefined
  /** The same for the log: how many, and the one thing that matters most. */
  readonly progress: string
}

function currentState(wanted: readonly ObjectRef[], sets: ReadonlyMap<string, readonly KubeObject[]>): State {
  const all = (kind: string): KubeObject[] =>
    namespacesOf(wanted).flatMap((namespace) => [...(sets.get(setKey({ kind, apiVersion: '' }, namespace)) ?? [])])
  const found = wanted.map((ref) => {
    const set = sets.get(setKey(ref, ref.namespace))
    return {
      name: describeRef(ref),
      read: set !== undefined,
      object: set?.find(({ metadata }) => metadata.name === ref.name),
    }
  })
  const workloads = found.flatMap(({ object }) => object ?? [])
  const view = { workloads, replicaSets: all('ReplicaSet'), pods: all('Pod'), events: all('Event') }
  const findings = explain(view)
  const unfinished = found.flatMap(({ name, read, object }) => {
    if (object === undefined) return [{ name, reason: read ? 'does not exist' : 'not read yet' }]
    const state = rolloutOf(object)
    return state.done ? [] : [{ name, reason: state.reason }]
  })
  if (unfinished.length === 0) return { view, findings, reason: undefined, progress: 'done' }
  const worst = findings.find((finding) => !dull.has(finding.reason))
  const first = unfinished[0]
  const matter = worst === undefined ? `${first?.name}: ${first?.reason}` : renderFinding(worst)
  const more = unfinished.length > mostNamed ? `; and ${unfinished.length - mostNamed} more` : ''
  return {
    view,
    findings,
    reason: `${unfinished
      .slice(0, mostNamed)
      .map((state) => `${state.name}: ${state.reason}`)
      .join('; ')}${more}`,
    progress: found.every(({ read }) => read)
      ? `${wanted.length - unfinished.length} of ${wanted.length} workloads rolled out; ${matter}`
      : 'reading the workloads',
  }
}

/** In one line of an error. */
const mostNamed = 3

/** Findings that only say what the counters say. */
const dull = new Set(['InProgress', 'Pending', 'NotReady', 'ProgressDeadlineExceeded', 'JobFailed'])

/** Milliseconds until the oldest standing permanent finding has stood too long; undefined without one. */
function patience(
  permanent: readonly Finding[],
  since: Map<string, number>,
  now: number,
  limitMs: number,
): number | undefined {
  // The reason changes between ErrImagePull and ImagePullBackOff while the trouble is the same.
  const keys = new Set(permanent.map((finding) => `${finding.workload} ${finding.pod ?? ''}`))
  for (const key of since.keys()) if (!keys.has(key)) since.delete(key)
  for (const key of keys) if (!since.has(key)) since.set(key, now)
  return since.size === 0 ? undefined : Math.min(...since.values()) + limitMs - now
}

async function notReady(
  kubernetes: Kubernetes,
  request: RolloutRequest,
  state: State,
  elapsedMs: number,
  early: boolean,
): Promise<NotReadyError> {
  const culprit = state.findings[0]
  const why = culprit === undefined || dull.has(culprit.reason) ? (state.reason ?? 'unknown') : renderFinding(culprit)
  const when = early
    ? `will not become ready (given up after ${formatSeconds(elapsedMs)})`
    : `not ready after ${formatSeconds(request.timeoutMs)}`
  const hint = culprit === undefined ? undefined : hintFor(culprit)
  const evidence = await collectEvidence(kubernetes, state.view, state.findings)
  const log = evidence.telling === undefined ? '' : `; its log: ${evidence.telling.trim()}`
  return new NotReadyError(`${request.what} ${when}: ${why}${log}`, {
    code: 'ROLLOUT_NOT_READY',
    ...(hint === undefined ? {} : { hint }),
    diagnostics: evidence.lines,
  })
}

function namespacesOf(refs: readonly ObjectRef[]): (string | undefined)[] {
  return [...new Set(refs.map((ref) => ref.namespace))]
}

function setKey(kind: ResourceKind, namespace: string | undefined): string {
  return `${kind.kind} ${namespace ?? ''}`
}
