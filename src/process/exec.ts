import { spawn } from 'node:child_process'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Clock } from './clock.ts'
import { deadlineSignal } from './deadline.ts'
import { CommandError } from './errors.ts'
import type { Logger } from './log.ts'

export interface RunOptions {
  readonly cwd?: string
  /** Replaces the environment; default is the host's. */
  readonly env?: Readonly<Record<string, string>>
  /** Written to stdin, which is then closed. Secrets go this way, never into arguments. A stream is destroyed when the program ends before it. */
  readonly input?: string | Uint8Array | Readable
  /** Takes stdout as it comes, no faster than it can, instead of the result; it is ended with it. */
  readonly output?: Writable
  /** Milliseconds until the process group is ended and the call rejects. Default 10 minutes. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** No echo of the command at info level; it is still visible in debug. */
  readonly quiet?: boolean
  /** Resolve with a non-zero exit code instead of rejecting. Time-outs and signals still reject. */
  readonly allowFailure?: boolean
  /** Called with the id of the process, which leads a group of its own, once it runs. */
  readonly onStart?: (pid: number) => void
  /** Called with each whole line as it arrives, both streams. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void
  /** Most bytes kept per stream (the end is kept). Default 8 MiB. */
  readonly maxBuffer?: number
}

export interface RunResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly durationMs: number
}

/** Runs programs: argv arrays, never a shell. Rejects with {@link CommandError}. */
export interface Exec {
  run(command: string, args: readonly string[], options?: RunOptions): Promise<RunResult>
}

export const defaultTimeoutMs = 600_000
const defaultMaxBuffer = 8 * 1024 * 1024
const killDelayMs = 5_000
/** What the killed have written comes within this, if it comes at all. */
const lastWordsMs = 1_000

/** The real thing, over node:child_process. @actions/exec can neither be aborted nor timed out (docs/decisions.md). */
export function createExec(context: {
  log: Logger
  clock: Clock
  env: Readonly<Record<string, string>>
  signal?: AbortSignal
}): Exec {
  return { run: (command, args, options = {}) => runProcess(context, command, args, options) }
}

async function runProcess(
  context: { log: Logger; clock: Clock; env: Readonly<Record<string, string>>; signal?: AbortSignal },
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  const line = renderCommand(command, args)
  const started = context.clock.monotonic()
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  const timeout = deadlineSignal(timeoutMs)
  const signals = [timeout, context.signal, options.signal].filter((signal) => signal !== undefined)
  const ended = AbortSignal.any(signals)
  const stdout = new TailBuffer(options.maxBuffer ?? defaultMaxBuffer)
  const stderr = new TailBuffer(options.maxBuffer ?? defaultMaxBuffer)

  const outcome = await new Promise<{ code: number | null; signal: string | null; error?: unknown }>((resolve) => {
    if (ended.aborted) {
      resolve({ code: null, signal: 'cancellation', error: ended.reason })
      return
    }
    // A group of its own: a signal from the terminal reaches us first, and we end the whole group.
    const child = spawn(command, [...args], {
      cwd: options.cwd,
      env: { ...(options.env ?? context.env) },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
    })
    if (child.pid !== undefined) options.onStart?.(child.pid)
    let killTimer: NodeJS.Timeout | undefined
    const kill = (signal: NodeJS.Signals): void => {
      if (child.pid === undefined) return
      try {
        process.kill(-child.pid, signal)
      } catch {
        // The group is already gone.
      }
    }
    const exited = new Promise<void>((resolveExit) => child.once('exit', () => resolveExit()))
    const onAbort = (): void => {
      kill('SIGTERM')
      killTimer = setTimeout(async () => {
        kill('SIGKILL')
        await exited
        // A descendant in a session of its own is in no group of ours, and may hold the pipes open for ever.
        if (!over) killTimer = setTimeout(giveUp, lastWordsMs)
      }, killDelayMs)
    }
    const giveUp = (): void => {
      child.stdout?.destroy()
      child.stderr?.destroy()
      finish({ code: null, signal: child.signalCode })
    }
    ended.addEventListener('abort', onAbort, { once: true })
    if (options.output === undefined) child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
    // Where the reader goes away the program gets a broken pipe, and its exit code tells.
    else if (child.stdout !== null) pipeline(child.stdout, options.output).catch(() => {})
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
    if (options.onLine !== undefined) {
      eachLine(child.stdout, (text) => options.onLine?.(text, 'stdout'))
      eachLine(child.stderr, (text) => options.onLine?.(text, 'stderr'))
    }
    let over = false
    const finish = (result: { code: number | null; signal: string | null; error?: unknown }): void => {
      over = true
      ended.removeEventListener('abort', onAbort)
      clearTimeout(killTimer)
      resolve(result)
    }
    child.on('error', (error) => finish({ code: null, signal: null, error }))
    child.on('close', (code, signal) => finish({ code, signal }))
    // A child may exit without reading; its exit code tells, not the broken pipe.
    if (options.input instanceof Readable && child.stdin !== null) pipeline(options.input, child.stdin).catch(() => {})
    else if (options.input !== undefined) {
      child.stdin?.on('error', () => {})
      child.stdin?.end(options.input)
    }
  })

  const durationMs = context.clock.monotonic() - started
  const echo = `$ ${line} (${(durationMs / 1000).toFixed(1)} s)`
  if (options.quiet === true) context.log.debug(echo)
  else context.log.info(echo)
  const failed = outcome.code !== 0
  if (!failed || (options.allowFailure === true && outcome.code !== null && !ended.aborted)) {
    return { exitCode: outcome.code ?? 0, stdout: stdout.text(), stderr: stderr.text(), durationMs }
  }
  throw new CommandError({
    command: line,
    exitCode: outcome.code,
    killedBy: timeout.aborted ? null : ended.aborted ? 'cancellation' : outcome.signal,
    timedOut: timeout.aborted,
    stdout: stdout.text(),
    stderr: stderr.text(),
    durationMs,
    cause: outcome.error,
  })
}

/** For people and logs only; it is never executed. */
export function renderCommand(command: string, args: readonly string[]): string {
  return [command, ...args].map((part) => (/^[\w@%+=:,./-]+$/.test(part) ? part : JSON.stringify(part))).join(' ')
}

/** Keeps the end of a stream: that is where the error is. */
class TailBuffer {
  #chunks: Buffer[] = []
  #size = 0
  #dropped = false
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    while (this.#size > this.#limit && this.#chunks.length > 1) {
      this.#size -= this.#chunks.shift()?.length ?? 0
      this.#dropped = true
    }
  }

  text(): string {
    const text = Buffer.concat(this.#chunks).toString('utf8')
    return this.#dropped ? `[earlier output dropped]\n${text}` : text
  }
}

function eachLine(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  let rest = ''
  stream?.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString('utf8')).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) onLine(part)
  })
  stream?.on('end', () => {
    if (rest.length > 0) onLine(rest)
  })
}
