/** The worker of one job (runner.ts tells what it follows): a process of its own, as the real one is, so that it can be killed. The argument is the job as JSON. */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { JobRun, RunnerJob, RunnerStep, WorkerMessage } from './runner.ts'
import {
  bundleArgv,
  endsWithin,
  hasPost,
  inputEnvironment,
  type RunningStep,
  type StepRun,
  startStep,
} from './runner-step.ts'

type UsesStep = Extract<RunnerStep, { uses: string }>
type ProcessStep = UsesStep | Extract<RunnerStep, { run: readonly string[] }>

/** By this name the toolkit recognises whose process ends with the job. */
process.title = 'Runner.Worker'

const job = JSON.parse(process.argv[2] ?? '{}') as RunnerJob
const folders = Object.fromEntries(
  ['home', 'temp', 'tools', 'workspace', 'files'].map((part) => [part, path.join(job.folder, part)]),
)
const trackingId = `github_${randomUUID()}`
const backgroundGraceMs = 7_500

const runs: StepRun[] = []
const running = new Set<RunningStep>()
const background = new Map<string, { step: RunningStep; taken: boolean; cancelled: boolean }>()
/** Main steps that were started, the last on top, with what each left for its post step. */
const posts: { step: UsesStep; state: Readonly<Record<string, string>> }[] = []
const variables: Record<string, string> = {}
const paths: string[] = []
let status: JobRun['result'] = 'success'
let cancelled: (() => void) | undefined
const cancellation = new Promise<void>((resolve) => {
  cancelled = resolve
})

process.on('message', (message) => {
  if (message !== 'cancel' || status === 'cancelled') return
  status = 'cancelled'
  for (const step of running) step.cancel()
  cancelled?.()
})
// The parent may be gone: then there is nobody to tell.
process.on('disconnect', () => {})

emptyTemp()
for (const step of job.steps) {
  // A step has `if: success()` unless it says otherwise.
  if (status !== 'success') break
  await runStep(step)
}
await waitForBackground()
for (const post of posts.reverse()) {
  const { step } = post
  const state = step.stateForPost ?? post.state
  const env = Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]))
  take(await start(step, 'Post', env).ended)
}
killOrphans()
emptyTemp()
tell({ type: 'done', run: { result: status, steps: runs } })
process.disconnect?.()

async function runStep(step: RunnerStep): Promise<void> {
  if ('wait' in step) {
    const waited = step.wait.map((id) => background.get(id)?.step.ended)
    await Promise.race([Promise.all(waited), cancellation])
    for (const id of step.wait) await takeBackground(id)
  } else if ('cancel' in step) {
    const entry = background.get(step.cancel)
    if (entry === undefined) throw new Error(`no background step ${step.cancel}`)
    entry.cancelled = true
    entry.step.cancel()
    await endsWithin(entry.step.ended, backgroundGraceMs)
    await takeBackground(step.cancel)
  } else {
    const started = start(step, 'Main')
    if (step.background === true) background.set(step.id, { step: started, taken: false, cancelled: false })
    else take(await started.ended)
  }
}

/** The safety net before the post steps. */
async function waitForBackground(): Promise<void> {
  const all = Promise.all([...background.values()].map(({ step }) => step.ended))
  await Promise.race([all, cancellation])
  if (status === 'cancelled') await endsWithin(all, backgroundGraceMs)
  for (const id of background.keys()) await takeBackground(id)
}

async function takeBackground(id: string): Promise<void> {
  const entry = background.get(id)
  if (entry === undefined || entry.taken || running.has(entry.step)) return
  entry.taken = true
  const run = await entry.step.ended
  // One that a `cancel` step has ended was meant to.
  take(entry.cancelled && run.outcome === 'cancelled' ? { ...run, outcome: 'success' } : run)
}

/** What a step that has ended means for those after it. */
function take(run: StepRun): void {
  Object.assign(variables, run.variables)
  paths.unshift(...run.paths)
  if (status === 'success' && run.outcome !== 'success' && run.stage === 'Main') status = 'failure'
}

function start(step: ProcessStep, stage: StepRun['stage'], state: Readonly<Record<string, string>> = {}): RunningStep {
  const name = `${stage} ${step.id}`
  const uses = 'uses' in step ? step : undefined
  const post = uses === undefined ? undefined : { step: uses, state: {} as StepRun['state'] }
  if (stage === 'Main' && post !== undefined && hasPost(post.step.uses)) posts.push(post)
  const started = startStep({
    id: step.id,
    stage,
    argv: 'run' in step ? step.run : bundleArgv(stage === 'Post' ? `${step.uses}-post` : step.uses),
    env: {
      ...environment(step.id),
      ...(uses === undefined ? {} : inputEnvironment(uses.uses, uses.with ?? {}, status)),
      ...state,
    },
    files: folders['files'] ?? '',
    cwd: folders['workspace'] ?? '',
    onLine: (line) => tell({ type: 'line', step: name, line }),
  })
  running.add(started)
  tell({ type: 'started', step: name, pid: started.pid })
  void started.ended.then((run) => {
    running.delete(started)
    runs.push(run)
    // Read however the step ended.
    if (post !== undefined && stage === 'Main') post.state = run.state
    tell({ type: 'ended', step: name })
  })
  return started
}

/** Clean, but for PATH and what the job says. */
function environment(step: string): Record<string, string> {
  return {
    PATH: [...paths, process.env['PATH'] ?? ''].join(path.delimiter),
    HOME: folders['home'] ?? '',
    ...job.env,
    ...variables,
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION: step,
    GITHUB_JOB: job.name,
    GITHUB_RUN_ID: job.runId,
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_WORKSPACE: folders['workspace'] ?? '',
    RUNNER_NAME: job.runner ?? 'runner-1',
    RUNNER_TEMP: folders['temp'] ?? '',
    RUNNER_TOOL_CACHE: folders['tools'] ?? '',
    RUNNER_TRACKING_ID: trackingId,
  }
}

function emptyTemp(): void {
  rmSync(folders['temp'] ?? '', { recursive: true, force: true })
  mkdirSync(folders['temp'] ?? '')
}

function killOrphans(): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
      if (entries.includes(`RUNNER_TRACKING_ID=${trackingId}`)) process.kill(Number(pid), 'SIGKILL')
    } catch {
      // Gone meanwhile, or somebody else's.
    }
  }
}

function tell(message: WorkerMessage): void {
  if (process.connected) process.send?.(message)
}
