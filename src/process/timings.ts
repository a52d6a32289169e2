import type { Clock } from './clock.ts'

/** One phase of a run. Times are milliseconds since the run began. */
export interface Timing {
  readonly name: string
  readonly startMs: number
  readonly durationMs: number
  readonly ok: boolean
  /** Name of the phase it ran inside of, if any. */
  readonly parent?: string
}

/** Collects what took how long. Phases may overlap; that is the point. */
export class Timings {
  readonly #clock: Clock
  readonly #origin: number
  readonly #onStart: (phase: string) => void
  readonly #entries: Timing[] = []

  /** `onStart` is told each phase as it begins: the log then says where a run was when it was killed. */
  constructor(clock: Clock, onStart: (phase: string) => void = () => {}) {
    this.#clock = clock
    this.#origin = clock.monotonic()
    this.#onStart = onStart
  }

  /** Milliseconds since the run began. */
  elapsedMs(): number {
    return this.#clock.monotonic() - this.#origin
  }

  /** Runs the body and records it, also when it fails. */
  async phase<T>(name: string, body: () => Promise<T>, parent?: string): Promise<T> {
    const startMs = this.elapsedMs()
    this.#onStart(name)
    let ok = false
    try {
      const result = await body()
      ok = true
      return result
    } finally {
      this.add({
        name,
        startMs,
        durationMs: this.elapsedMs() - startMs,
        ok,
        ...(parent === undefined ? {} : { parent }),
      })
    }
  }

  add(timing: Timing): void {
    this.#entries.push(timing)
  }

  /** By start, whole milliseconds. */
  entries(): readonly Timing[] {
    return this.#entries
      .map((entry) => ({ ...entry, startMs: Math.round(entry.startMs), durationMs: Math.round(entry.durationMs) }))
      .sort((a, b) => a.startMs - b.startMs)
  }
}
