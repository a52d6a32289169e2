import type { Exec, RunResult } from '../process/exec.ts'

export interface TrackedExec extends Exec {
  /** Resolves when nothing runs any more. */
  idle(): Promise<void>
}

/**
 * Knows what still runs. A body that fails does not wait for what ran beside its failure; a process that exits then would leave those programs without anybody to end
 * them, and a cancelled job must leave none.
 */
export function trackExec(exec: Exec): TrackedExec {
  const running = new Set<Promise<RunResult>>()
  return {
    run(command, args, options) {
      const run = exec.run(command, args, options)
      running.add(run)
      const done = (): void => void running.delete(run)
      run.then(done, done)
      return run
    },
    async idle() {
      while (running.size > 0) await Promise.allSettled(running)
    },
  }
}
