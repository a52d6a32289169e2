import { deadlineSignal } from './deadline.ts'
import { CancelledError, messageOf, NotReadyError } from './errors.ts'
import type { Host } from './host.ts'

export interface WaitOptions<T> {
  /** True when the awaited state is reached. */
  readonly done: (value: T) => boolean
  /** The current reason it is not, for the log and the error: `worker2 NotReady: cni plugin not initialized`. */
  readonly explain: (value: T) => string
  readonly timeoutMs: number
  /** Pause between looks. Default 250 ms. Prefer a watch (`Kubernetes.until`) wherever the thing awaited is in the API. */
  readonly intervalMs?: number
  readonly hint?: string
}

/**
 * Looks until `done`, at most `timeoutMs`. A probe that throws counts as "not yet" with its message as the reason. For the few things no watch exists
 * for (a socket, an HTTP answer); rejects with {@link NotReadyError} that carries the last reason.
 */
export async function waitFor<T>(
  host: Pick<Host, 'clock' | 'log' | 'signal'>,
  what: string,
  probe: (signal: AbortSignal) => Promise<T>,
  options: WaitOptions<T>,
): Promise<T> {
  const deadline = host.clock.monotonic() + options.timeoutMs
  let reason = 'nothing seen yet'
  let reported = ''
  let cause: unknown
  for (;;) {
    if (host.signal.aborted) throw new CancelledError(`cancelled while waiting for ${what} (${reason})`)
    const left = deadline - host.clock.monotonic()
    if (left <= 0) {
      throw new NotReadyError(`${what} not ready after ${formatSeconds(options.timeoutMs)}: ${reason}`, {
        cause,
        ...(options.hint === undefined ? {} : { hint: options.hint }),
      })
    }
    try {
      const value = await probe(AbortSignal.any([host.signal, deadlineSignal(left)]))
      if (options.done(value)) return value
      reason = options.explain(value)
      cause = undefined
    } catch (error) {
      reason = messageOf(error)
      cause = error
    }
    if (reason !== reported) {
      host.log.progress(`waiting for ${what}: ${reason}`)
      reported = reason
    }
    await pause(Math.min(options.intervalMs ?? 250, Math.max(0, deadline - host.clock.monotonic())), host.signal)
  }
}

/** Resolves after the time or at once when aborted; never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
      return
    }
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
  })
}

export function formatSeconds(ms: number): string {
  const seconds = ms / 1000
  return seconds < 10
    ? `${seconds.toFixed(1)} s`
    : seconds < 120
      ? `${Math.round(seconds)} s`
      : `${Math.floor(seconds / 60)} m ${Math.round(seconds % 60)} s`
}
