/** One piece of work in a graph. */
export interface GraphTask {
  readonly name: string
  /** Names of tasks that must be done before. */
  readonly needs: readonly string[]
  /** Seconds it is expected to take. */
  readonly seconds: number
  /** `priority` grows with the time of all that waits for this task, itself included. */
  run(priority: number, signal: AbortSignal): Promise<void>
}

/**
 * Runs every task as soon as what it needs is done. The first failure cancels what is running, starts nothing more, and is what the call rejects with
 * after everything has ended.
 */
export async function runGraph(tasks: readonly GraphTask[], signal: AbortSignal): Promise<void> {
  const byName = new Map(tasks.map((task) => [task.name, task]))
  const priorities = criticalPaths(tasks)
  const failed = new AbortController()
  const cancelled = AbortSignal.any([signal, failed.signal])
  const started = new Map<string, Promise<void>>()
  let firstError: unknown
  const start = (task: GraphTask): Promise<void> => {
    const running = started.get(task.name)
    if (running !== undefined) return running
    const promise = (async () => {
      await Promise.all(task.needs.flatMap((name) => (byName.has(name) ? [start(byName.get(name) as GraphTask)] : [])))
      cancelled.throwIfAborted()
      try {
        await task.run(priorities.get(task.name) ?? 0, cancelled)
      } catch (error) {
        if (!failed.signal.aborted) firstError = error
        failed.abort(error)
        throw error
      }
    })()
    started.set(task.name, promise)
    return promise
  }
  // In this order those that become ready together ask for lanes.
  const ordered = tasks.toSorted((a, b) => (priorities.get(b.name) ?? 0) - (priorities.get(a.name) ?? 0))
  const results = await Promise.allSettled(ordered.map(start))
  if (failed.signal.aborted) throw firstError
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

/** Seconds from the start of each task to the end of the longest chain of tasks that wait for it. */
export function criticalPaths(tasks: readonly Omit<GraphTask, 'run'>[]): ReadonlyMap<string, number> {
  const paths = new Map<string, number>()
  const pathOf = (task: Omit<GraphTask, 'run'>): number => {
    const known = paths.get(task.name)
    if (known !== undefined) return known
    const waiting = tasks.filter((other) => other.needs.includes(task.name)).map(pathOf)
    const path = task.seconds + Math.max(0, ...waiting)
    paths.set(task.name, path)
    return path
  }
  for (const task of tasks) pathOf(task)
  return paths
}

/** Lets a limited number through at a time; whoever has the highest priority goes next. */
export class Lane {
  readonly #waiting: { priority: number; go: () => void }[] = []
  #free: number

  constructor(width: number) {
    this.#free = width
  }

  async run<T>(priority: number, body: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else {
      await new Promise<void>((go) => {
        this.#waiting.push({ priority, go })
        this.#waiting.sort((a, b) => b.priority - a.priority)
      })
    }
    try {
      return await body()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next.go()
    }
  }
}
