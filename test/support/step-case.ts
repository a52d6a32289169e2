import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ActionDefinition, AnyAction } from '../../src/action/define-action.ts'
import { readEnvironment } from '../../src/action/environment.ts'
import { type ActionContext, runStep } from '../../src/action/run.ts'
import { createRunnerLogger } from '../../src/action/runner-logger.ts'
import { systemClock } from '../../src/process/clock.ts'
import { commandsOf, foldersOf, pairsOf, type RunnerCommand } from './runner-protocol.ts'

const files = ['GITHUB_OUTPUT', 'GITHUB_STATE', 'GITHUB_ENV', 'GITHUB_PATH', 'GITHUB_STEP_SUMMARY'] as const

export interface StepResult {
  readonly code: number
  readonly printed: string
  readonly commands: readonly RunnerCommand[]
  readonly outputs: Readonly<Record<string, string>>
  readonly state: Readonly<Record<string, string>>
  readonly variables: Readonly<Record<string, string>>
  readonly folders: readonly string[]
  readonly summary: string
}

export type StepBody = (context: ActionContext<never, string, string>) => Promise<void>

/** Runs the main steps of actions in this process, as often as generated cases need it, and reads what the runner would read. One at a time. */
export function stepRunner(): (
  action: AnyAction,
  env: Readonly<Record<string, string>>,
  body: StepBody,
) => Promise<StepResult> {
  const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-step-'))
  const own = { HOME: folder, RUNNER_TEMP: path.join(folder, 'temp') }
  for (const file of files) process.env[file] = path.join(folder, file)
  const read = (file: (typeof files)[number]): string => readFileSync(path.join(folder, file), 'utf8')
  return async (action, env, body) => {
    for (const file of files) writeFileSync(path.join(folder, file), '')
    const environment = readEnvironment(
      { ...env, ...own, GITHUB_STEP_SUMMARY: path.join(folder, 'GITHUB_STEP_SUMMARY') },
      folder,
    )
    const { result: code, printed } = await capture(() =>
      runStep(action as ActionDefinition<never>, body, {
        environment,
        log: createRunnerLogger(systemClock),
        cancel: new AbortController(),
      }),
    )
    return {
      code,
      printed,
      commands: commandsOf(printed),
      outputs: pairsOf(read('GITHUB_OUTPUT')),
      state: pairsOf(read('GITHUB_STATE')),
      variables: pairsOf(read('GITHUB_ENV')),
      folders: foldersOf(read('GITHUB_PATH')),
      summary: read('GITHUB_STEP_SUMMARY'),
    }
  }
}

/** What is written to stdout and stderr meanwhile, instead of writing it. */
export async function capture<T>(run: () => Promise<T>): Promise<{ result: T; printed: string }> {
  let printed = ''
  const streams = [process.stdout, process.stderr]
  const originals = streams.map((stream) => stream.write)
  const keep = (chunk: string | Uint8Array): boolean => {
    printed += chunk.toString()
    return true
  }
  for (const stream of streams) stream.write = keep
  try {
    return { result: await run(), printed }
  } finally {
    for (const [index, stream] of streams.entries()) stream.write = originals[index] as typeof stream.write
  }
}
