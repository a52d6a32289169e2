import { CancelledError } from './errors.ts'
import type { Exec, RunResult } from './exec.ts'
import { pause } from './wait.ts'

export interface TrackedExec extends Exec {
  /** Resolves when nothing runs any more. */
  idle(): Promise<void>
  /**
   * Ends whatever still runs, each program with its process group, at once and without asking: the last thing before an exit that cannot wait. A daemon that is
   * meant to outlive us is not started through here.
   */
  kill(): void
}

/**
 * Knows what still runs. A body that fails does not wait for what ran beside its failure; a process that exits then would leave those programs without anybody to end
 * them, and a cancelled run must leave none.
 */
export function trackExec(exec: Exec): TrackedExec {
  const running = new Map<Promise<RunResult>, { pid?: number }>()
  return {
    run(command, args, options = {}) {
      const program: { pid?: number } = {}
      const run = exec.run(command, args, {
        ...options,
        onStart(pid) {
          program.pid = pid
          options.onStart?.(pid)
        },
      })
      running.set(run, program)
      const done = (): void => void running.delete(run)
      run.then(done, done)
      return run
    },
    async idle() {
      while (running.size > 0) await Promise.allSettled(running.keys())
    },
    kill() {
      for (const { pid } of running.values()) {
        if (pid === undefined) continue
        try {
          process.kill(-pid, 'SIGKILL')
        } catch {
          // It has just ended.
        }
      }
    },
  }
}

/** More than the five seconds after which a program that ignores SIGTERM is killed, less than a runner gives a cancelled job. */
const programsMs = 6_500

/** What still runs at the end belongs to work that nobody waits for: it is told to stop, given a moment, then ended. */
export async function endPrograms(exec: TrackedExec | undefined, cancel: AbortController): Promise<void> {
  cancel.abort(new CancelledError('the run is over'))
  if (exec === undefined) return
  const over = new AbortController()
  await Promise.race([exec.idle(), pause(programsMs, over.signal)])
  over.abort()
  exec.kill()
}
