import { printable, quoted, visible } from './printable.ts'

/**
 * The errors a person is meant to read. Everything a feature throws on purpose is a {@link ToolkitError}: what happened is the message, what to do
 * is the hint, the code has a heading of its own in docs/errors.md. Anything else that surfaces is a defect and is reported with its stack.
 */
export interface ErrorDetails {
  /** Stable identifier, upper snake case, documented in docs/errors.md. */
  readonly code: string
  /** What the reader can do about it, one or two sentences. */
  readonly hint?: string
  readonly cause?: unknown
  /** Lines that help a human (events, last log lines); printed in a group, not in the annotation. */
  readonly diagnostics?: readonly string[]
}

export class ToolkitError extends Error {
  readonly code: string
  readonly hint: string | undefined
  readonly diagnostics: readonly string[]

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = new.target.name
    this.code = details.code
    this.hint = details.hint
    this.diagnostics = details.diagnostics ?? []
  }
}

/** One thing wrong with one input or one key of the spec. */
export interface Problem {
  /** Input name or path in the spec, such as `workers` or `cluster.nodes[1].taints`. */
  readonly name: string
  /** The value received, whole: {@link renderProblems} shows as much of it as helps. Secrets must be given as `***`. */
  readonly value?: string
  /** What is wrong, such as `is not a whole number`. */
  readonly problem: string
  /** The form allowed, such as `a whole number from 0 to 50`. */
  readonly allowed?: string
  readonly example?: string
}

/** The user's fault: every problem found, in one error. */
export class InputError extends ToolkitError {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[], details: Partial<ErrorDetails> = {}) {
    super(renderProblems(problems), { code: 'INPUT_INVALID', ...details })
    this.problems = problems
  }
}

export function renderProblems(problems: readonly Problem[]): string {
  const lines = problems.map((problem) => {
    const value = problem.value === undefined ? '' : ` (got ${quoted(problem.value)})`
    const allowed = problem.allowed === undefined ? '' : `; allowed: ${visible(problem.allowed)}`
    const example = problem.example === undefined ? '' : `; example: ${visible(problem.example)}`
    return `${printable(problem.name)}${value} ${visible(problem.problem)}${allowed}${example}`
  })
  return lines.length === 1
    ? `${lines[0]}`
    : `${lines.length} problems:\n${lines.map((line) => `- ${line}`).join('\n')}`
}

/** A child process that failed, was killed, or ran out of time. */
export class CommandError extends ToolkitError {
  readonly command: string
  readonly exitCode: number | null
  readonly killedBy: string | null
  readonly timedOut: boolean
  readonly stdout: string
  readonly stderr: string

  constructor(result: {
    command: string
    exitCode: number | null
    killedBy: string | null
    timedOut: boolean
    stdout: string
    stderr: string
    durationMs: number
    cause?: unknown
  }) {
    const lastLine = lastMeaningfulLine(result.stderr) ?? lastMeaningfulLine(result.stdout)
    const how = result.timedOut
      ? `timed out after ${Math.round(result.durationMs / 1000)} s`
      : result.killedBy !== null
        ? `was ended by ${result.killedBy}`
        : result.exitCode === null
          ? 'could not be started'
          : `failed with exit code ${result.exitCode}`
    super(`${result.command} ${how}${lastLine === undefined ? '' : `: ${lastLine}`}`, {
      code: result.timedOut ? 'COMMAND_TIMEOUT' : 'COMMAND_FAILED',
      cause: result.cause,
      diagnostics: result.stderr.split('\n').slice(-20),
    })
    this.command = result.command
    this.exitCode = result.exitCode
    this.killedBy = result.killedBy
    this.timedOut = result.timedOut
    this.stdout = result.stdout
    this.stderr = result.stderr
  }
}

/** Something did not become ready before its deadline. */
export class NotReadyError extends ToolkitError {
  constructor(message: string, details: Partial<ErrorDetails> = {}) {
    super(message, { code: 'NOT_READY', ...details })
  }
}

/** Asked for something that this version, host or provider cannot do. */
export class UnsupportedError extends ToolkitError {
  constructor(message: string, details: Partial<ErrorDetails> = {}) {
    super(message, { code: 'UNSUPPORTED', ...details })
  }
}

/** The run was cancelled: a signal from the runner or Ctrl-C. */
export class CancelledError extends ToolkitError {
  constructor(message: string, details: Partial<ErrorDetails> = {}) {
    super(message, { code: 'CANCELLED', ...details })
  }
}

/** The run was cancelled, or a program was ended because of that: what somebody wanted, not a finding. */
export function isCancellation(error: unknown): boolean {
  return error instanceof CancelledError || (error instanceof CommandError && error.killedBy === 'cancellation')
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function lastMeaningfulLine(text: string): string | undefined {
  return text
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => line.length > 0)
}
