/** The only source of time for features, so that tests decide what time it is. */
export interface Clock {
  /** Milliseconds of a clock that never jumps, for durations and deadlines. */
  monotonic(): number
  /** Wall-clock time, for records that people and other machines read. */
  now(): Date
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  now: () => new Date(),
}
