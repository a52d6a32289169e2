import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { allActions } from '../../actions/all-actions.ts'
import { inputVariable } from '../../src/action/parse-inputs.ts'
import { commandsOf, foldersOf, pairsOf } from './runner-protocol.ts'
import { repository } from './test-host.ts'

/** One process of a job, as it ended. */
export interface StepRun {
  readonly id: string
  readonly stage: 'Main' | 'Post'
  readonly outcome: 'success' | 'failure' | 'cancelled'
  readonly code: number | null
  readonly signal: string | null
  /** Signals that the runner sent, in order. */
  readonly sent: readonly string[]
  readonly durationMs: number
  readonly stdout: string
  readonly stderr: string
  readonly outputs: Readonly<Record<string, string>>
  readonly state: Readonly<Record<string, string>>
  readonly variables: Readonly<Record<string, string>>
  readonly paths: readonly string[]
  readonly summary: string
  /** Annotations, groups and their like, unescaped. */
  readonly commands: readonly { readonly name: string; readonly message: string }[]
}

export interface StepProcess {
  readonly id: string
  readonly stage: StepRun['stage']
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Folder for the command files. */
  readonly files: string
  readonly cwd: string
  readonly onLine: (line: string) => void
}

export interface RunningStep {
  readonly pid: number
  readonly ended: Promise<StepRun>
  cancel(): void
}

/** The files of a step, by what they carry -> the variable that names them. */
const commandFiles = {
  outputs: 'GITHUB_OUTPUT',
  state: 'GITHUB_STATE',
  variables: 'GITHUB_ENV',
  path: 'GITHUB_PATH',
  summary: 'GITHUB_STEP_SUMMARY',
} as const

/** How long a signal is given, in milliseconds (ProcessInvoker.cs). */
const sigintMs = 7_500
const sigtermMs = 2_500

/** Starts a process as the runner does: in the worker's own group, with pipes, and files of its own for what it hands back. */
export function startStep(step: StepProcess): RunningStep {
  const folder = path.join(step.files, randomUUID())
  mkdirSync(folder, { recursive: true })
  const files = Object.fromEntries(
    Object.values(commandFiles).map((variable) => [variable, path.join(folder, variable)]),
  )
  for (const file of Object.values(files)) writeFileSync(file, '')
  const started = performance.now()
  const [program = '', ...args] = step.argv
  const child = spawn(program, args, {
    cwd: step.cwd,
    env: { ...step.env, ...files },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    createInterface({ input: child[stream] }).on('line', (line) => {
      text[stream] += `${line}\n`
      step.onLine(line)
    })
  }
  const sent: string[] = []
  const ended = new Promise<StepRun>((resolve) => {
    const finish = (code: number | null, signal: string | null): void => {
      const read = (what: keyof typeof commandFiles): string => readFileSync(files[commandFiles[what]] ?? '', 'utf8')
      resolve({
        id: step.id,
        stage: step.stage,
        outcome: code === 0 ? 'success' : sent.length > 0 ? 'cancelled' : 'failure',
        code,
        signal,
        sent,
        durationMs: performance.now() - started,
        ...text,
        outputs: pairsOf(read('outputs')),
        state: pairsOf(read('state')),
        variables: pairsOf(read('variables')),
        paths: foldersOf(read('path')),
        summary: read('summary'),
        commands: commandsOf(text.stdout),
      })
    }
    child.on('error', (error) => {
      text.stderr += String(error)
      finish(null, null)
    })
    // Not `close`: what a killed step leaves running may hold its pipes for long, and the runner waits for the process.
    child.on('exit', (code, signal) => setImmediate(() => finish(code, signal)))
  })
  return { pid: child.pid ?? 0, ended, cancel: () => void cancel(child, ended, sent) }
}

async function cancel(child: ChildProcess, ended: Promise<unknown>, sent: string[]): Promise<void> {
  if (sent.length > 0) return
  for (const [signal, ms] of [
    ['SIGINT', sigintMs],
    ['SIGTERM', sigtermMs],
    ['SIGKILL', 0],
  ] as const) {
    sent.push(signal)
    child.kill(signal)
    if (await endsWithin(ended, ms)) return
  }
}

export async function endsWithin(ended: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const result = await Promise.race([ended.then(() => true as const), late])
  clearTimeout(timer)
  return result
}

/** argv of an action's main or post. */
export function bundleArgv(name: string): string[] {
  return [process.execPath, path.join(repository, 'dist', `${name}.js`)]
}

/** Whether the action has a post step. */
export function hasPost(name: string): boolean {
  return allActions.find((action) => action.name === name)?.post === true
}

/** INPUT_ variables: what was given over the defaults of action.yml, whose expressions are evaluated at that moment. */
export function inputEnvironment(
  name: string,
  given: Readonly<Record<string, string>>,
  jobStatus: string,
): Record<string, string> {
  const action = allActions.find((candidate) => candidate.name === name)
  if (action === undefined) throw new Error(`there is no action ${name}`)
  const expressions: Readonly<Record<string, string>> = {
    '${{ job.status }}': jobStatus,
    '${{ toJSON(matrix) }}': 'null',
  }
  const defaults = Object.entries(action.inputs).flatMap(([input, { default: value }]) =>
    value === undefined ? [] : [[input, expressions[value] ?? value] as const],
  )
  return Object.fromEntries(
    Object.entries({ ...Object.fromEntries(defaults), ...given }).map(([input, value]) => [
      inputVariable(input),
      value,
    ]),
  )
}
