import { tmpdir } from 'node:os'
import path from 'node:path'
import * as core from '@actions/core'
import { systemClock } from '../process/clock.ts'
import { CancelledError, messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import type { Logger } from '../process/log.ts'
import { Secrets } from '../process/secret-texts.ts'
import { endPrograms, type TrackedExec } from '../process/tracked-exec.ts'
import { timelineTable } from '../report/timeline.ts'
import type { GivenAs } from '../spec/settings.ts'
import { createActionHost } from './action-host.ts'
import type { ActionDefinition, InputDefinitions, InputValues } from './define-action.ts'
import { type RunnerEnvironment, readEnvironment } from './environment.ts'
import { renderSummary, writeSummary } from './job-summary.ts'
import { parseInputs, secretInputs } from './parse-inputs.ts'
import { reportError } from './report-error.ts'
import { createRunnerLogger } from './runner-logger.ts'
import { stepFiles } from './step-files.ts'

/** What the body of an action is given. Names that the contract does not have do not compile. */
export interface ActionContext<I extends InputDefinitions, O extends string, S extends string> {
  readonly inputs: InputValues<I>
  /** Given inputs by their place in platform.yaml, for `resolveSettings`. */
  readonly overrides: Readonly<Record<string, unknown>>
  /** What the inputs behind `overrides` are called, by the same places. */
  readonly givenAs: GivenAs
  readonly outputs: { set(name: O, value: string | number | boolean | object): void }
  /** For the post step. Set it before the thing it describes is made. */
  readonly state: { set(name: S, value: string): void }
  readonly host: Host
  readonly environment: RunnerEnvironment
  readonly summary: Summary
  /** For later steps of the job. */
  readonly exportVariable: (name: string, value: string) => void
  readonly addPath: (folder: string) => void
  /** Everything ran, and the answer is no: the step fails. Why, the body has said in annotations. */
  readonly fail: () => void
}

export interface Summary {
  /** Markdown that is already safe to show. */
  addSection(markdown: string): void
}

export interface PostContext<S extends string> {
  /** What main has set, or '' where it did not get that far. */
  readonly state: { get(name: S): string }
  /** True for `success` alone: what is not known counts as failed, so that evidence is kept. */
  readonly jobSucceeded: boolean
  readonly host: Host
  readonly environment: RunnerEnvironment
}

/**
 * Runs the main step and ends the process: an open socket would keep Node alive. Never resolves.
 */
export async function runAction<I extends InputDefinitions, O extends string, S extends string>(
  contract: ActionDefinition<I, O, S>,
  body: (context: ActionContext<I, O, S>) => Promise<void>,
): Promise<never> {
  let host: ActionHost | undefined
  const step = start(() => host?.exec)
  return end(await runStep(contract, body, { ...step, onHost: (made) => (host = made) }))
}

/** The main step without the process around it, from the environment to the exit code. The only place that catches everything. */
export async function runStep<I extends InputDefinitions, O extends string, S extends string>(
  contract: ActionDefinition<I, O, S>,
  body: (context: ActionContext<I, O, S>) => Promise<void>,
  { environment, log, cancel, secrets, onHost }: Step & { readonly onHost?: (host: ActionHost) => void },
): Promise<number> {
  let host: ActionHost | undefined
  const sections: string[] = []
  const results = new Map<string, string>()
  let ok = false
  let failure: string | undefined
  try {
    // First: what is wrong with another input must not show them.
    for (const secret of secretInputs(contract, environment.raw)) log.mask(secret)
    const parsed = parseInputs(contract, environment.raw)
    host = createActionHost({ environment, log, signal: cancel.signal })
    onHost?.(host)
    let failed = false
    await body({
      inputs: parsed.values,
      overrides: parsed.overrides,
      givenAs: parsed.givenAs,
      host,
      environment,
      outputs: {
        set(name, value) {
          const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
          if (results.get(name) === text) return
          stepFiles.output(name, text)
          // The summary is for people: tables of nodes and timings have their own place.
          if (typeof value !== 'object') results.set(name, text)
        },
      },
      state: { set: stepFiles.state },
      summary: { addSection: (markdown) => void sections.push(markdown) },
      exportVariable: stepFiles.variable,
      addPath: stepFiles.path,
      fail() {
        failed = true
      },
    })
    if (cancel.signal.aborted) throw new CancelledError('cancelled')
    ok = !failed
  } catch (error) {
    failure = messageOf(error)
    await reportError(error, {
      log,
      debug: environment.debug,
      as: cancel.signal.aborted ? 'warning' : 'error',
      title: contract.title,
    })
  }
  const cancelled = cancel.signal.aborted
  await endPrograms(host?.exec, cancel)
  const timings = host?.timings.entries() ?? []
  if (timings.length > 0) log.info(timelineTable(timings))
  const hide = (text: string): string => secrets?.hide(text) ?? text
  const summary = renderSummary({
    title: contract.title,
    ok,
    // Before Markdown is made of them, in which they would look different.
    ...(failure === undefined ? {} : { failure: hide(failure) }),
    results: [...results].map(([name, value]) => [name, hide(value)] as const),
    sections,
    timings,
  })
  await writeSummary(environment.raw['GITHUB_STEP_SUMMARY'], hide(summary))
  return ok ? 0 : cancelled ? 130 : 1
}

/**
 * Runs the post step: from state and the job's status alone, since inputs may be wrong there (https://github.com/actions/runner/issues/3514). What goes wrong is a
 * warning: it never fails the job. Never resolves.
 */
export async function runPost<I extends InputDefinitions, O extends string, S extends string>(
  _contract: ActionDefinition<I, O, S>,
  body: (context: PostContext<S>) => Promise<void>,
): Promise<never> {
  let host: ActionHost | undefined
  const { environment, log, cancel } = start(() => host?.exec)
  try {
    host = createActionHost({ environment, log, signal: cancel.signal })
    const status = (environment.raw['INPUT_JOB-STATUS'] ?? '').trim().toLowerCase()
    await body({
      state: { get: (name) => core.getState(name) },
      jobSucceeded: status === 'success',
      host,
      environment,
    })
  } catch (error) {
    await reportError(error, { log, debug: environment.debug, as: 'warning' }).catch((second: unknown) =>
      log.warning(messageOf(second)),
    )
  }
  await endPrograms(host?.exec, cancel)
  return end(0)
}

type ActionHost = ReturnType<typeof createActionHost>

/** What both steps begin with. */
interface Step {
  readonly environment: RunnerEnvironment
  readonly log: Logger
  readonly cancel: AbortController
  /** What `log` was told to mask. */
  readonly secrets?: Secrets
}

function start(programs: () => TrackedExec | undefined): Step {
  const environment = readEnvironment(process.env, path.join(tmpdir(), 'k8s-platform'))
  const secrets = new Secrets()
  const log = createRunnerLogger(systemClock, secrets)
  const cancel = new AbortController()
  for (const [signal, graceMs] of signals) {
    process.on(signal, () => {
      if (!cancel.signal.aborted) {
        log.warning(`${signal} received: stopping`)
        cancel.abort(new CancelledError(`cancelled by ${signal}`))
      }
      // Unreferenced: it must not be what keeps a finished run alive.
      setTimeout(() => {
        programs()?.kill()
        process.exit(130)
      }, graceMs).unref()
    })
  }
  return { environment, log, cancel, secrets }
}

/**
 * The runner sends SIGINT, after 7.5 s SIGTERM, after 2.5 s it kills. For a step in the background it waits those 7.5 s and no longer: then the post steps begin, beside whatever
 * still runs. So we go by ourselves before that, which leaves the last word to us.
 */
const signals = [
  ['SIGINT', 7_000],
  ['SIGTERM', 2_000],
] as const

/** Waits until what was written has left the process: a pipe to the runner is written asynchronously. */
async function end(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((resolve) => stream.write('', () => resolve()))
  }
  process.exit(code)
}
