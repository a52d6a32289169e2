import type { Host } from '../process/host.ts'

const everyMs = 5_000

/** Tells what a build of minutes is doing: one line now and then with each running step, its time, and the last line its program wrote. */
export class BuildProgress implements Disposable {
  readonly #host: Host
  readonly #total: number
  readonly #running = new Map<string, { step: string; since: number; line: string }>()
  readonly #started: number
  readonly #timer: NodeJS.Timeout
  #done = 0

  constructor(host: Host, total: number) {
    this.#host = host
    this.#total = total
    this.#started = host.clock.monotonic()
    this.#timer = setInterval(() => this.#tell(), everyMs)
    this.#timer.unref()
  }

  /** Runs a step under its name; the body may report lines of its program's output. */
  async step<T>(recipe: string, step: string, body: (onLine: (line: string) => void) => Promise<T>): Promise<T> {
    const entry = { step, since: this.#host.clock.monotonic(), line: '' }
    this.#running.set(recipe, entry)
    try {
      return await body((line) => {
        if (line.trim() !== '') entry.line = line.trim()
      })
    } finally {
      this.#running.delete(recipe)
    }
  }

  finished(recipe: string, milliseconds: number): void {
    this.#done += 1
    this.#host.log.info(
      `image ${recipe}: built in ${seconds(milliseconds)} (${this.#done} of ${this.#total}, ${seconds(this.#elapsed())} in all)`,
    )
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #elapsed(): number {
    return this.#host.clock.monotonic() - this.#started
  }

  #tell(): void {
    const now = this.#host.clock.monotonic()
    const steps = [...this.#running].map(([recipe, { step, since, line }]) => {
      const last = line === '' ? '' : `: ${line.slice(0, 60)}`
      return `${recipe} ${step} ${seconds(now - since)}${last}`
    })
    if (steps.length > 0)
      this.#host.log.progress(`images ${this.#done}/${this.#total}, ${seconds(this.#elapsed())}: ${steps.join(' | ')}`)
  }
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`
}
