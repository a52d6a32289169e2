import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { StepRun } from './runner-step.ts'

/**
 * Runs a job as GitHub's runner does: a worker process of the runner's name, steps of built actions one after the other or in the background, then their post steps in
 * reverse. What it does is read in the runner's source (github.com/actions/runner, commit 258d6c857db3519913f7deb6004b60172f8043ae: src/Runner.Sdk/ProcessInvoker.cs,
 * src/Runner.Worker/{StepsRunner,BackgroundStepCoordinator,ActionRunner,JobExtension,TempDirectoryManager}.cs):
 * - A cancelled step gets SIGINT, after 7.5 s SIGTERM, after 2.5 s SIGKILL; each goes to its process alone, never to what that has started.
 * - `background: true` starts a step and goes on. Its outputs and variables count once it was waited for. Before the post steps all that was not waited for is waited for;
 *   once the job is cancelled only 7.5 s long, so that post steps may begin beside a step that still runs.
 * - State is read when the step has ended, however it ended, and goes to its post step. A post step runs for every main step that was started, also in a cancelled job.
 * - RUNNER_TEMP is emptied before and after the job. At the very end, processes that carry the job's RUNNER_TRACKING_ID are killed.
 * act 0.2.82 knows neither `background:` nor this way to cancel (test/support/act.ts).
 */
export interface RunnerJob {
  /** Everything the runner and its steps write lies here; HOME too. The caller removes it. */
  readonly folder: string
  /** GITHUB_JOB and GITHUB_RUN_ID. */
  readonly name: string
  readonly runId: string
  /** Different for jobs that run at the same time: RUNNER_NAME. */
  readonly runner?: string
  readonly steps: readonly RunnerStep[]
  /** Beside PATH of this test. */
  readonly env?: Readonly<Record<string, string>>
}

export type RunnerStep =
  | {
      readonly id: string
      /** Name of the bundle in dist/. */
      readonly uses: string
      readonly with?: Readonly<Record<string, string>>
      readonly background?: true
      /** What the runner hands to post instead of what main has saved. */
      readonly stateForPost?: Readonly<Record<string, string>>
    }
  /** argv, with the job's variables. */
  | { readonly id: string; readonly run: readonly string[]; readonly background?: true }
  /** Ids of background steps. */
  | { readonly wait: readonly string[] }
  | { readonly cancel: string }

export interface JobRun {
  readonly result: 'success' | 'failure' | 'cancelled'
  /** In the order in which they ended. */
  readonly steps: readonly StepRun[]
}

export interface RunningJob {
  /** The worker's process id; it leads a process group that its steps are in. */
  readonly worker: number
  /** Resolves when that step, `Main cluster` or `Post cluster`, has printed a line that matches; rejects when it ended without, and when it has not come by then (10 minutes). */
  line(step: string, pattern: RegExp, timeoutMs?: number): Promise<void>
  /** Process id of a step that runs. */
  pid(step: string): number
  /** As a person or a newer run cancels it. */
  cancel(): void
  /** SIGKILL to the worker alone, or with its group: the worker and its steps, not what those have put into groups of their own. Nobody runs post steps then. */
  killWorker(who: 'alone' | 'group'): Promise<void>
  /** Rejects where the worker was killed. */
  readonly done: Promise<JobRun>
  /** Everything said so far, for the message of a failed expectation. */
  log(): string
}

/** What the worker tells (runner-worker.ts). */
export type WorkerMessage =
  | { readonly type: 'started'; readonly step: string; readonly pid: number }
  | { readonly type: 'line'; readonly step: string; readonly line: string }
  | { readonly type: 'ended'; readonly step: string }
  | { readonly type: 'done'; readonly run: JobRun }

const worker = fileURLToPath(new URL('runner-worker.ts', import.meta.url))

/** No phase of a cluster's life takes longer. */
const lineMs = 600_000

/** Workers that have not ended. */
const running = new Set<ChildProcess>()

/**
 * For `afterEach`: a test that failed or timed out in the middle of a job has nobody who waits for it. SIGKILL to each worker's group: the worker and its steps. What those
 * have put into groups of their own goes as after a runner that died: with the next run.
 */
export async function endJobs(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL')
      } catch {
        // It has just ended.
      }
      await gone
    }),
  )
}

export function startJob(job: RunnerJob): RunningJob {
  for (const part of ['home', 'temp', 'tools', 'workspace', 'files']) {
    mkdirSync(path.join(job.folder, part), { recursive: true })
  }
  const child = spawn(process.execPath, [worker, JSON.stringify(job)], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  const seen: WorkerMessage[] = []
  const watchers = new Set<() => void>()
  let over = false
  const done = result(child, seen, watchers, () => {
    over = true
  })
  // Whoever kills the worker does not ask for its result.
  done.catch(() => {})
  return {
    worker: child.pid ?? 0,
    done,
    line: (step, pattern, timeoutMs = lineMs) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          watchers.delete(look)
          reject(new Error(`${step} has not said ${pattern} within ${timeoutMs / 1000} s:\n${logOf(seen)}`))
        }, timeoutMs)
        const look = (): void => {
          const found = seen.some((one) => one.type === 'line' && one.step === step && pattern.test(one.line))
          const ended = over || seen.some((one) => one.type === 'ended' && one.step === step)
          if (!found && !ended) return
          clearTimeout(late)
          watchers.delete(look)
          if (found) resolve()
          else reject(new Error(`${step} ended and never said ${pattern}:\n${logOf(seen)}`))
        }
        watchers.add(look)
        look()
      }),
    pid(step) {
      const started = seen.findLast((one) => one.type === 'started' && one.step === step)
      if (started?.type !== 'started') throw new Error(`${step} was not started:\n${logOf(seen)}`)
      return started.pid
    },
    cancel: () => void child.send('cancel'),
    async killWorker(who) {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      process.kill(who === 'group' ? -(child.pid ?? 0) : (child.pid ?? 0), 'SIGKILL')
      await gone
    },
    log: () => logOf(seen),
  }
}

function result(
  child: ChildProcess,
  seen: WorkerMessage[],
  watchers: ReadonlySet<() => void>,
  onEnd: () => void,
): Promise<JobRun> {
  return new Promise((resolve, reject) => {
    child.on('message', (message: WorkerMessage) => {
      seen.push(message)
      if (message.type === 'done') resolve(message.run)
      for (const look of [...watchers]) look()
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      onEnd()
      for (const look of [...watchers]) look()
      reject(new Error(`the worker ended with ${signal ?? code}:\n${logOf(seen)}`))
    })
  })
}

function logOf(seen: readonly WorkerMessage[]): string {
  const lines = seen.flatMap((one) => (one.type === 'line' ? [`[${one.step}] ${one.line}`] : []))
  return lines.slice(-60).join('\n')
}
