import { randomBytes } from 'node:crypto'
import { ApiError } from '../kubernetes/api-error.ts'
import type { ExecResult } from '../kubernetes/client.ts'
import type { ProbeBatch, ProbeRequest, ProbeResult } from '../probe/protocol.ts'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { formatSeconds, pause } from '../process/wait.ts'
import { LostError } from './engine.ts'

/** Runs a batch somewhere and resolves with what came back on the stream, whole or not. */
export type Deliver = (batch: ProbeBatch, timeoutMs: number) => Promise<ExecResult>

/** Runs probes at one place. */
export interface ProbeRunner {
  /** Where the dials start from, for people: `pod probe-1 on worker2`. */
  readonly place: string
  /**
   * One result per request, in order.
   * @throws LostError when the stream was lost three times, ApiError when exec is not allowed: nothing can be said then.
   */
  run(requests: readonly ProbeRequest[]): Promise<ProbeResult[]>
}

/** Requests of different checks that come within this time share one batch. */
const gatherMs = 15
/** A request that may take longer than this has a batch of its own: the others must not wait for it. */
const slowMs = 5_000
const concurrency = 64
const startupMs = 20_000
const transportAttempts = 3
const transportPauseMs = 300

interface Waiting {
  readonly requests: readonly ProbeRequest[]
  readonly resolve: (results: ProbeResult[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * Gathers the requests of checks that run at the same time into one batch per pod. A request whose record did not come back is sent again (transport only:
 * whatever a record says is a result and never retried here).
 */
export function createBatcher(host: Pick<Host, 'log' | 'signal'>, place: string, deliver: Deliver): ProbeRunner {
  let gathering: Waiting[] = []

  function flush(): void {
    const waiting = gathering
    gathering = []
    const slow = waiting.filter((entry) => entry.requests.some((request) => request.timeoutMs > slowMs))
    for (const entry of slow) void settle([entry])
    const fast = waiting.filter((entry) => !slow.includes(entry))
    if (fast.length > 0) void settle(fast)
  }

  async function settle(entries: readonly Waiting[]): Promise<void> {
    try {
      // Ids are unique per caller only.
      const requests = entries.flatMap((entry, i) =>
        entry.requests.map((request) => ({ ...request, id: `${i}/${request.id}` })),
      )
      const results = await deliverAll(host, place, deliver, requests)
      entries.forEach((entry, i) => {
        entry.resolve(
          entry.requests.map(({ id }) => {
            const result = results.get(`${i}/${id}`)
            if (result === undefined) throw new LostError(`${place} gave no record for ${id}`)
            return { ...result, id }
          }),
        )
      })
    } catch (error) {
      for (const entry of entries) entry.reject(error)
    }
  }

  return {
    place,
    run: (requests) =>
      new Promise((resolve, reject) => {
        if (requests.length === 0) {
          resolve([])
          return
        }
        if (gathering.length === 0) setTimeout(flush, gatherMs)
        gathering.push({ requests, resolve, reject })
      }),
  }
}

async function deliverAll(
  host: Pick<Host, 'log' | 'signal'>,
  place: string,
  deliver: Deliver,
  requests: readonly ProbeRequest[],
): Promise<Map<string, ProbeResult>> {
  const results = new Map<string, ProbeResult>()
  let trouble = ''
  for (let attempt = 1; attempt <= transportAttempts; attempt++) {
    const missing = requests.filter((request) => !results.has(request.id))
    const nonce = randomBytes(12).toString('hex')
    try {
      const answer = await deliver({ nonce, requests: missing, concurrency }, batchTimeout(missing))
      for (const result of parseRecords(answer.stdout, nonce)) results.set(result.id, result)
      trouble = describeTrouble(answer)
    } catch (error) {
      // No permission: asking again changes nothing, and it is not the stream's fault.
      if (error instanceof ApiError) throw error
      trouble = messageOf(error)
    }
    const lost = requests.length - results.size
    if (lost === 0) return results
    host.log.debug(`${place}: ${lost} of ${requests.length} records missing (${trouble}), attempt ${attempt}`)
    if (host.signal.aborted) break
    if (attempt < transportAttempts) await pause(transportPauseMs * attempt, host.signal)
  }
  throw new LostError(
    `${place}: ${requests.length - results.size} of ${requests.length} probe records did not come back: ${trouble}`,
    { hint: 'Look at the pod and its node; the API server must reach the kubelet on port 10250.' },
  )
}

/** Results among whatever else the stream carries: only lines with our nonce, and only whole ones. */
export function parseRecords(stdout: string, nonce: string): ProbeResult[] {
  const results: ProbeResult[] = []
  for (const line of stdout.split('\n')) {
    if (!line.startsWith(`${nonce} `)) continue
    try {
      const record = JSON.parse(line.slice(nonce.length + 1)) as Partial<ProbeResult>
      if (typeof record.id === 'string' && typeof record.dial === 'string') results.push(record as ProbeResult)
    } catch {
      // A line cut in the middle: its request counts as lost.
    }
  }
  return results
}

function describeTrouble(answer: ExecResult): string {
  const stderr = answer.stderr.trim().split('\n').slice(-3).join(' | ')
  if (answer.status === null) return `the exec stream ended without a verdict${stderr === '' ? '' : ` (${stderr})`}`
  if (answer.status.exitCode !== 0) return `the probe script ended with ${answer.status.exitCode}: ${stderr}`
  return 'the stream was not whole'
}

/** Long enough for every dial to run into its own deadline, plus the start of the program on a busy node. */
function batchTimeout(requests: readonly ProbeRequest[]): number {
  const longest = Math.max(...requests.map((request) => request.timeoutMs))
  return startupMs + longest * Math.ceil(requests.length / concurrency)
}

/** For reasons: `timeout after 2.0 s`, `refused`. */
export function describeDial(result: ProbeResult): string {
  return result.dial === 'timeout' ? `timeout after ${formatSeconds(result.elapsedMs)}` : result.dial
}
