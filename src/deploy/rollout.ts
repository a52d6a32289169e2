import type { Kubernetes } from '../kubernetes/client.ts'
import { type StateContext, unknownContext } from '../kubernetes/object-state.ts'
import type { KubeObject, ResourceKind } from '../kubernetes/objects.ts'
import { CancelledError, messageOf, NotReadyError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { formatSeconds } from '../process/wait.ts'
import { type Finding, hintFor, renderFinding } from './finding.ts'
import { collectEvidence } from './rollout-evidence.ts'
import { type Awaited, dull, namespacesOf, progressOf, type RolloutProgress, setKey } from './rollout-state.ts'

export interface RolloutRequest {
  /** What people call it: `voting-app`. */
  readonly what: string
  /** Exactly what was applied, as far as there is something to wait for ({@link awaitedOf} of rollout-state.ts). */
  readonly objects: readonly Awaited[]
  /** Milliseconds. */
  readonly timeoutMs: number
  /**
   * A client whose calls end with the signal. The wait follows several kinds at once and ends all watches when it knows enough; it also keeps their own
   * progress out of the log, which gets one line for the whole.
   */
  readonly connect: (signal: AbortSignal) => Promise<Kubernetes>
  /** How long a permanent finding may stand before the wait gives up. Default 20 s: time for the kubelet's second try. */
  readonly giveUpAfterMs?: number
  /** How long what nobody may ever report on is waited for after the rest. Default 15 s. */
  readonly softMs?: number
  readonly context?: StateContext
  /**
   * How long containers without a readiness probe must go on running before they count: until then nobody has asked them anything, and a program that ends after a
   * second was ready for that second. Default 0.
   */
  readonly steadyMs?: number
}

const observed: readonly ResourceKind[] = [
  { apiVersion: 'apps/v1', kind: 'ReplicaSet' },
  { apiVersion: 'v1', kind: 'Pod' },
  { apiVersion: 'v1', kind: 'Event' },
]

/** Of programs that end by themselves. */
const endings = new Set(['CrashLoopBackOff', 'Error', 'OOMKilled'])

type Outcome = { readonly ok: true } | { readonly ok: false; readonly early: boolean }

/**
 * Waits by watch until every object has reached its state, at its own generation.
 * @throws NotReadyError at the deadline, or earlier when waiting cannot help; it names the culprit and carries events and last log lines.
 */
export async function waitForRollout(host: Host, kubernetes: Kubernetes, request: RolloutRequest): Promise<void> {
  const wanted = request.objects
  if (wanted.length === 0) return
  const stop = new AbortController()
  const watching = await request.connect(AbortSignal.any([stop.signal, host.signal]))
  const sets = new Map<string, readonly KubeObject[]>()
  const standingSince = new Map<string, number>()
  const outcome = Promise.withResolvers<Outcome>()
  let giveUp: NodeJS.Timeout | undefined
  let settle: NodeJS.Timeout | undefined
  let said = ''
  /** The last state in which programs had ended by themselves: one that runs just now may be between two ends. */
  let ended: RolloutProgress | undefined

  const look = (): RolloutProgress => progressOf(wanted, sets, request.context ?? unknownContext)
  const judge = (): void => {
    const state = look()
    if (state.progress !== said) host.log.progress(`waiting for ${request.what}: ${state.progress}`)
    said = state.progress
    clearTimeout(giveUp)
    if (state.reason === undefined) {
      const soft = state.soft.length === 0 ? 0 : (request.softMs ?? 15_000)
      const wait = Math.max(soft, state.unasked ? (request.steadyMs ?? 0) : 0)
      if (wait === 0) outcome.resolve({ ok: true })
      else settle ??= setTimeout(() => outcome.resolve({ ok: true }), wait)
      return
    }
    clearTimeout(settle)
    settle = undefined
    if (state.findings.some(({ reason }) => endings.has(reason))) ended = state
    const left = patience(state.findings, standingSince, host.clock.monotonic(), request.giveUpAfterMs ?? 20_000)
    if (left === undefined) return
    if (left <= 0) outcome.resolve({ ok: false, early: true })
    else giveUp = setTimeout(judge, left)
  }

  const started = host.clock.monotonic()
  const isUp = (): boolean => look().reason === undefined && ended === undefined
  const deadline = setTimeout(
    () => outcome.resolve(isUp() ? { ok: true } : { ok: false, early: false }),
    request.timeoutMs,
  )
  const onCancel = (): void => outcome.reject(new CancelledError(`cancelled while waiting for ${request.what}`))
  host.signal.addEventListener('abort', onCancel, { once: true })
  if (host.signal.aborted) onCancel()
  const follow = (kind: ResourceKind, namespace: string | undefined, needed: boolean): Promise<void> =>
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
          // Without the right to read events or ReplicaSets less can be explained; without the objects themselves nothing can be known.
          if (needed) outcome.reject(error)
          else host.log.debug(`${kind.kind}s cannot be followed: ${messageOf(error)}`)
        },
      )
  const followers = kindsToFollow(wanted).map((entry) => follow(entry.kind, entry.namespace, entry.needed))
  try {
    const end = await outcome.promise
    const now = look()
    const state = now.reason === undefined && !end.ok ? (ended ?? now) : now
    if (!end.ok) throw await notReady(kubernetes, request, state, host.clock.monotonic() - started, end.early)
    for (const open of state.soft) host.log.warning(`${open}: is there a controller for it? The deployment goes on`)
  } finally {
    clearTimeout(deadline)
    clearTimeout(giveUp)
    clearTimeout(settle)
    host.signal.removeEventListener('abort', onCancel)
    stop.abort()
    await Promise.all(followers)
  }
}

/** The kinds of the objects, and in their namespaces what explains them. */
function kindsToFollow(
  wanted: readonly Awaited[],
): { readonly kind: ResourceKind; readonly namespace: string | undefined; readonly needed: boolean }[] {
  return namespacesOf(wanted).flatMap((namespace) => {
    const own = new Map<string, { kind: ResourceKind; namespace: string | undefined; needed: boolean }>()
    const add = ({ apiVersion, kind }: ResourceKind, needed: boolean): void => {
      const key = `${apiVersion} ${kind}`
      if (!own.has(key)) own.set(key, { kind: { apiVersion, kind }, namespace, needed })
    }
    for (const ref of wanted) if (ref.namespace === namespace) add(ref, true)
    // What has no namespace has no pods either.
    if (namespace !== undefined) for (const kind of observed) add(kind, false)
    return [...own.values()]
  })
}

/** Milliseconds until the oldest standing permanent finding has stood too long; undefined without one. */
function patience(
  findings: readonly Finding[],
  since: Map<string, number>,
  now: number,
  limitMs: number,
): number | undefined {
  if (findings.some((finding) => finding.certain === true)) return 0
  // The reason changes between ErrImagePull and ImagePullBackOff while the trouble is the same.
  const permanent = findings.filter((finding) => finding.permanent)
  const keys = new Set(permanent.map((finding) => `${finding.workload} ${finding.pod ?? ''}`))
  for (const key of since.keys()) if (!keys.has(key)) since.delete(key)
  for (const key of keys) if (!since.has(key)) since.set(key, now)
  return since.size === 0 ? undefined : Math.min(...since.values()) + limitMs - now
}

async function notReady(
  kubernetes: Kubernetes,
  request: RolloutRequest,
  state: RolloutProgress,
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
