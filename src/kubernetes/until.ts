import { deadlineSignal } from '../process/deadline.ts'
import { CancelledError, messageOf, NotReadyError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { formatSeconds } from '../process/wait.ts'
import type { UntilOptions } from './client.ts'
import type { KubeObject } from './objects.ts'

/** Follows objects until a state is reached, the run is cancelled or the time is up; tells the current reason on the way. */
export async function until(
  host: Pick<Host, 'clock' | 'log' | 'signal'>,
  what: string,
  options: UntilOptions,
  start: (
    signal: AbortSignal,
    onState: (objects: readonly KubeObject[]) => void,
    onTrouble: (error: unknown) => void,
  ) => Promise<void>,
): Promise<KubeObject[]> {
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, host.signal, deadlineSignal(options.timeoutMs)])
  let reason = 'the API server has not answered yet'
  let cause: unknown
  let found: readonly KubeObject[] | undefined
  const say = (next: string): void => {
    if (next === reason) return
    reason = next
    host.log.progress(`waiting for ${what}: ${reason}`)
  }
  let thrown: { readonly error: unknown } | undefined
  await start(
    signal,
    (objects) => {
      try {
        if (options.done(objects)) {
          found = objects
          stop.abort()
        } else say(options.explain(objects))
        cause = undefined
      } catch (error) {
        // `done` may give up early by throwing: a state that waiting cannot mend.
        thrown = { error }
        stop.abort()
      }
    },
    (error) => {
      cause = error
      say(messageOf(error))
    },
  )
  if (thrown !== undefined) throw thrown.error
  if (found !== undefined) return [...found]
  if (host.signal.aborted) throw new CancelledError(`cancelled while waiting for ${what} (${reason})`)
  throw new NotReadyError(`${what} not ready after ${formatSeconds(options.timeoutMs)}: ${reason}`, {
    cause,
    ...(options.hint === undefined ? {} : { hint: options.hint }),
  })
}
