import { deadlineSignal } from '../process/deadline.ts'
import { messageOf, NotReadyError } from '../process/errors.ts'
import { defaultTimeoutMs } from '../process/exec.ts'
import type { Host } from '../process/host.ts'

/**
 * Work that may take no longer than is left until the deadline, a time of the host's monotonic clock: its programs and its downloads end then. Where they had to,
 * it rejects with CLUSTER_TIMEOUT and what they were at.
 */
export async function withinTime<T>(
  host: Host,
  deadline: number,
  what: string,
  work: (host: Host) => Promise<T>,
): Promise<T> {
  const left = deadline - host.clock.monotonic()
  if (left <= 0) throw outOfTime(`no time left for ${what}`)
  const over = deadlineSignal(left)
  const bounded: Host = {
    ...host,
    signal: AbortSignal.any([host.signal, over]),
    exec: {
      run: (command, args, options = {}) =>
        host.exec.run(command, args, {
          ...options,
          // Not the signal: the error shall tell the end of the time from a cancelled run.
          timeoutMs: Math.min(options.timeoutMs ?? defaultTimeoutMs, timeLeft(host, deadline)),
        }),
    },
  }
  try {
    return await work(bounded)
  } catch (error) {
    if (host.signal.aborted || !over.aborted) throw error
    throw outOfTime(`no time was left for ${what}: ${messageOf(error)}`, error)
  }
}

/** Milliseconds, whole; 0 when it is over. */
export function timeLeft(host: Pick<Host, 'clock'>, deadline: number): number {
  return Math.max(0, Math.ceil(deadline - host.clock.monotonic()))
}

export function outOfTime(message: string, cause?: unknown): NotReadyError {
  const hint = 'Give a longer `timeout`.'
  return new NotReadyError(message, { code: 'CLUSTER_TIMEOUT', hint, ...(cause === undefined ? {} : { cause }) })
}
