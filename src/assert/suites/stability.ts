import { conditionOf } from '../../kubernetes/conditions.ts'
import type { KubeObject } from '../../kubernetes/objects.ts'
import { NotReadyError } from '../../process/errors.ts'
import { formatSeconds } from '../../process/wait.ts'
import type { Json } from '../../report/record.ts'
import { type Check, type CheckContext, fail, type Outcome, pass } from '../check.ts'
import { summarize } from '../converge.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { containerStatuses, isPodFinished } from '../explain-pod.ts'

/**
 * A container whose last life was shorter than this must outlive it twice over (at most this long), or a crash loop looks stable between two crashes.
 * A program that died after a longer life, as in a node's restart, only has to outlive the window.
 */
const maxProofMs = 60_000

/** R5: nothing restarts and nothing flips between Ready and not, looked up backwards, waiting only for what is missing of the window. */
export function stabilityCheck(environment: SuiteEnvironment): Check {
  const seconds = formatSeconds(environment.stableMs)
  return {
    id: 'R5.stable',
    title: `No container restarted and no pod's readiness changed for ${seconds}`,
    suite: 'readiness',
    lane: 'parallel',
    needs: [],
    timeoutMs: maxProofMs + environment.stableMs + 15_000,
    run: (context) => stable(context, environment),
  }
}

/** One container's life, as the API tells it. */
interface Life {
  readonly id: string
  readonly restarts: number
  /** Undefined when it does not run. */
  readonly startedAt: number | undefined
  /** How long the previous life lasted, milliseconds. */
  readonly previousMs: number | undefined
  readonly lastEnd: string
  /** How it ended, where it has and is not started again yet. */
  readonly thisEnd: string
  /** The kubelet waits before it starts it again. */
  readonly looping: boolean
}

interface Snapshot {
  readonly lives: readonly Life[]
  /** Last change of each pod's Ready condition, by namespace/pod/uid. */
  readonly readySince: ReadonlyMap<string, number>
}

async function stable(context: CheckContext, environment: SuiteEnvironment): Promise<Outcome> {
  const [first, serverNow] = await Promise.all([snapshot(environment), environment.kubernetes.serverTime()])
  const now = serverNow.getTime()
  const looping = first.lives.filter((life) => life.looping)
  if (looping.length > 0) {
    const reasons = looping.map(
      (life) => `${life.id} is in CrashLoopBackOff (${life.lastEnd}; ${life.restarts} restarts)`,
    )
    return fail(summarize(reasons), {
      evidence: looping.map((life, i) => ({ text: reasons[i] ?? '', command: logsCommand(life.id) })),
    })
  }
  const missing = missingProof(first, now, environment.stableMs)
  const longest = Math.max(0, ...missing.map((entry) => entry.ms))
  const observations = {
    containers: first.lives.length,
    restarts: Object.fromEntries(
      first.lives.filter((life) => life.restarts > 0).map((life) => [life.id, life.restarts]),
    ),
    waitedMs: Math.round(longest),
  } satisfies Record<string, Json>
  if (longest === 0) {
    return pass(`${first.lives.length} containers unchanged for at least ${formatSeconds(environment.stableMs)}`, {
      observations,
    })
  }
  const names = missing.map((entry) => entry.why)
  context.waiting(`${formatSeconds(longest)} more without change: ${summarize(names)}`)
  // Read again at the end whatever the watch saw: one that lost its connection saw nothing.
  const seen = await firstChanges(environment, first, longest)
  const second = await snapshot(environment)
  const changes = seen.length > 0 ? seen : changesBetween(first, second)
  if (changes.length > 0) {
    return fail(summarize(changes.map((change) => change.text)), {
      observations,
      evidence: changes.map((change) => ({ text: change.text, command: logsCommand(change.id) })),
    })
  }
  return pass(`${second.lives.length} containers unchanged, ${formatSeconds(longest)} of it watched`, { observations })
}

/** For `namespace/pod/container` the last words of its previous life, for `namespace/pod` its conditions and events. */
function logsCommand(id: string): string {
  const [namespace, pod, container] = id.split('/')
  return container === undefined
    ? `kubectl -n ${namespace} describe pod ${pod}`
    : `kubectl -n ${namespace} logs ${pod} -c ${container} --previous`
}

const podKind = { apiVersion: 'v1', kind: 'Pod' } as const

function namespacesOf(environment: SuiteEnvironment): string[] {
  return [...new Set([environment.namespace, 'kube-system'])]
}

/** Watches for so long and resolves with what changed first, so that a red verdict does not wait for the end of the window. */
async function firstChanges(environment: SuiteEnvironment, first: Snapshot, forMs: number): Promise<Change[]> {
  const watching = namespacesOf(environment).map(async (namespace): Promise<Change[]> => {
    try {
      const pods = await environment.kubernetes.until(
        'a change of the pods',
        podKind,
        { namespace },
        {
          timeoutMs: forMs,
          done: (now) => changesBetween(first, snapshotOf(now)).length > 0,
          explain: () => 'none so far, which is good',
        },
      )
      return changesBetween(first, snapshotOf(pods))
    } catch (error) {
      if (error instanceof NotReadyError) return []
      throw error
    }
  })
  return new Promise((resolve, reject) => {
    for (const one of watching) one.then((changes) => changes.length > 0 && resolve(changes)).catch(reject)
    Promise.all(watching)
      .then((all) => resolve(all.flat()))
      .catch(reject)
  })
}

async function snapshot(environment: SuiteEnvironment): Promise<Snapshot> {
  const lists = await Promise.all(
    namespacesOf(environment).map((namespace) => environment.kubernetes.list(podKind, { namespace })),
  )
  return snapshotOf(lists.flat())
}

function snapshotOf(all: readonly KubeObject[]): Snapshot {
  // Pods on their way in or out are the rollout's business (R2).
  const pods = all.filter((pod) => !isPodFinished(pod) && pod.metadata.deletionTimestamp === undefined)
  const readySince = new Map<string, number>()
  for (const pod of pods) {
    const since = conditionOf(pod, 'Ready')?.lastTransitionTime
    if (since !== undefined) readySince.set(idOf(pod), Date.parse(since))
  }
  return { lives: pods.flatMap(livesOf), readySince }
}

function idOf(pod: KubeObject): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`
}

function livesOf(pod: KubeObject): Life[] {
  return containerStatuses(pod).map((status) => {
    const last = status.lastState?.terminated
    const startedAt = status.state?.running?.startedAt
    return {
      id: `${idOf(pod)}/${status.name}`,
      restarts: status.restartCount,
      startedAt: startedAt === undefined ? undefined : Date.parse(startedAt),
      previousMs: last === undefined ? undefined : Date.parse(last.finishedAt) - Date.parse(last.startedAt),
      looping: status.state?.waiting?.reason === 'CrashLoopBackOff',
      lastEnd: describeEnd(last),
      thisEnd: describeEnd(status.state?.terminated),
    }
  })
}

function describeEnd(end: { readonly reason?: string; readonly exitCode: number } | undefined): string {
  return end === undefined ? 'no reason given' : `${end.reason ?? 'ended'}, exit code ${end.exitCode}`
}

/** What still has to pass without change, for each thing that is too young to be trusted. */
function missingProof(seen: Snapshot, now: number, windowMs: number): { why: string; ms: number }[] {
  const found: { why: string; ms: number }[] = []
  for (const life of seen.lives) {
    // A container that does not run has no life to prove; the same look again tells whether it comes and goes.
    const age = life.startedAt === undefined ? 0 : now - life.startedAt
    const loops = life.previousMs !== undefined && life.previousMs < maxProofMs
    const wanted = loops ? Math.min(maxProofMs, Math.max(windowMs, 2 * (life.previousMs ?? 0))) : windowMs
    if (age < wanted) {
      const why = life.startedAt === undefined ? 'does not run' : `runs since ${formatSeconds(Math.max(0, age))}`
      found.push({ why: `${life.id} ${why}`, ms: wanted - Math.max(0, age) })
    }
  }
  for (const [id, since] of seen.readySince) {
    const age = Math.max(0, now - since)
    if (age < windowMs) found.push({ why: `${id} changed readiness ${formatSeconds(age)} ago`, ms: windowMs - age })
  }
  return found
}

interface Change {
  readonly id: string
  readonly text: string
}

function changesBetween(first: Snapshot, second: Snapshot): Change[] {
  const changes: Change[] = []
  const before = new Map(first.lives.map((life) => [life.id, life]))
  for (const life of second.lives) {
    const old = before.get(life.id)
    if (old !== undefined && life.restarts > old.restarts) {
      changes.push({
        id: life.id,
        text: `${life.id} restarted ${life.restarts - old.restarts} times while watched (${life.lastEnd}; ${life.restarts} restarts in all)`,
      })
    } else if (old?.startedAt !== undefined && life.startedAt === undefined) {
      changes.push({
        id: life.id,
        text: `${life.id} ended while watched (${life.thisEnd}; ${life.restarts} restarts before)`,
      })
    }
  }
  if (changes.length > 0) return changes
  for (const [id, since] of second.readySince) {
    const old = first.readySince.get(id)
    if (old !== undefined && old !== since) changes.push({ id, text: `${id} changed its readiness while watched` })
  }
  return changes
}
