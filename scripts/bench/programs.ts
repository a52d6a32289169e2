import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { repositoryRoot } from '../repository.ts'

/** Distinguishes what a benchmark makes from everybody's clusters. */
export const benchCluster = 'kp-bench'

export interface ProgramRun {
  readonly stdout: string
  readonly durationMs: number
}

/** Runs a program whose log goes to stderr as it comes. Rejects unless it ends with code 0. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>
    readonly codes?: readonly number[]
    readonly quiet?: boolean
  } = {},
): Promise<ProgramRun> {
  const started = performance.now()
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(command, [...args], {
      cwd: repositoryRoot,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', options.quiet === true ? 'ignore' : 'inherit'],
    })
    let stdout = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => {
      const durationMs = performance.now() - started
      if ((options.codes ?? [0]).includes(code ?? -1)) resolve({ stdout, durationMs })
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout.slice(-2_000)}`))
    })
  })
}

/** The built command line, as `npm run` starts it. */
export function runBuiltCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ProgramRun> {
  return runProgram(process.execPath, [path.join(repositoryRoot, 'dist', 'cli.js'), ...args], { env })
}
