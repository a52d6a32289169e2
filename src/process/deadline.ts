/** Aborts after the time. What is left of a deadline is a fraction, or already over: the platform's own refuses both. */
export function deadlineSignal(ms: number): AbortSignal {
  return AbortSignal.timeout(Math.max(0, Math.ceil(ms)))
}
