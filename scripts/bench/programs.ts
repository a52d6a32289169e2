import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { repositoryRoot } from '../repository.ts'

/** Distinguishes what a benchmark makes from everybody's clusters. */
export const benchCluster = 'kp-bench'

export interface ProgramRun {
  readonly stdout: string
  readonly durationMs: number
}

/** Ended by a signal of this process: no benchmark goes on, clean-ups do. */
export const stopped = new AbortController()

/** Runs a program whose log goes to stderr as it comes. Rejects unless it ends with code 0, or one of `codes`. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>
    readonly codes?: readonly number[]
    readonly quiet?: boolean
    /** Removes what a benchmark made: runs also after a signal. */
    readonly cleanUp?: boolean
  } = {},
): Promise<ProgramRun> {
  if (options.cleanUp !== true && stopped.signal.aborted) return Promise.reject(stopped.signal.reason)
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
  const cleanUp = args[0] === 'down'
  return runProgram(process.execPath, [path.join(repositoryRoot, 'dist', 'cli.js'), ...args], { env, cleanUp })
}

/** A cluster that nobody made before: one that a killed benchmark left would be found and reused, and be very quick. */
export async function withFreshCluster<T>(run: (cluster: readonly string[]) => Promise<T>): Promise<T> {
  const cluster = ['--cluster-name', benchCluster]
  await runBuiltCli(['down', ...cluster])
  try {
    return await run(cluster)
  } finally {
    await runBuiltCli(['down', ...cluster])
  }
}
