/** Bytes that count as progress. */
const leastProgress = 1_024

/** Aborts when nothing has come for a while: a server that drips a byte now and then would else hold the job for the whole deadline, and one that is silent too. */
export class IdleTimer {
  received = 0
  readonly #controller = new AbortController()
  readonly #idleMs: number
  #timer: NodeJS.Timeout

  constructor(idleMs: number) {
    this.#idleMs = idleMs
    this.#timer = this.#start()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Counts what came. Less than a kilobyte in all that time is as good as nothing. */
  progress(bytes: number): void {
    const before = this.received
    this.received += bytes
    if (Math.floor(before / leastProgress) === Math.floor(this.received / leastProgress)) return
    clearTimeout(this.#timer)
    this.#timer = this.#start()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => this.#controller.abort(), this.#idleMs)
  }
}
