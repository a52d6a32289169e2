import { spawn } from 'node:child_process'
import path from 'node:path'
import { repository } from './test-host.ts'

export interface CliRun {
  readonly code: number | null
  readonly stdout: string
  /** stderr, where the way there is told. */
  readonly log: string
  readonly durationMs: number
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly timeoutMs?: number
  /** Show the log as it comes: a person waits. */
  readonly live?: boolean
  /** Called with each piece of the log, to act at a certain moment of the run. */
  readonly onLog?: (text: string, kill: (signal: NodeJS.Signals) => void) => void
}

/** Runs the built command line under this very Node, as `npm run` does after it has brought Node 24 along. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const started = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(repository, 'dist', 'cli.js'), ...args], {
      cwd: options.cwd ?? repository,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 900_000,
    })
    let stdout = ''
    let log = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString()
      if (options.live === true) process.stderr.write(chunk)
      options.onLog?.(chunk.toString(), (signal) => child.kill(signal))
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, log, durationMs: performance.now() - started }))
  })
}
