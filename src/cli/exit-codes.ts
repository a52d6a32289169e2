import { CommandError, InputError, isCancellation, NotReadyError, UnsupportedError } from '../process/errors.ts'

/** What the process ends with; documented in docs/cli.md (a test holds the two together). */
export const exitCodes = {
  ok: 0,
  /** Something failed that is not listed below. */
  failed: 1,
  /** Wrong flags, spec, values or host. */
  input: 2,
  /** This host, version or provider cannot do it. */
  unsupported: 3,
  /** A deadline passed. */
  notReady: 4,
  /** Everything ran and the assertions' verdict is red. */
  red: 5,
  /** Ctrl-C or SIGTERM; what was made has been recorded for `down`. */
  cancelled: 130,
} as const

export function exitCodeOf(error: unknown): number {
  if (error instanceof InputError) return exitCodes.input
  if (error instanceof UnsupportedError) return exitCodes.unsupported
  if (error instanceof NotReadyError) return exitCodes.notReady
  if (error instanceof CommandError && error.timedOut) return exitCodes.notReady
  if (isCancellation(error)) return exitCodes.cancelled
  return exitCodes.failed
}
