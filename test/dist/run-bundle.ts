import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inputVariable } from '../../src/action/parse-inputs.ts'
import { commandsOf, pairsOf } from '../support/runner-protocol.ts'
import { repository } from '../support/test-host.ts'

export interface BundleOptions {
  /** Where `dist` lies; default is this repository. */
  readonly root?: string
  readonly inputs?: Readonly<Record<string, string>>
  /** Files of the workspace by path. */
  readonly workspace?: Readonly<Record<string, string>>
  readonly state?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  /** Programs that alone are on PATH: name -> text of a Node script. Without one of a name there is no such program. */
  readonly programs?: Readonly<Record<string, string>>
  /** Called once the process runs. */
  readonly onStart?: (child: ChildProcess, folder: string) => void
}

export interface BundleRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly outputs: Readonly<Record<string, string>>
  readonly state: Readonly<Record<string, string>>
  readonly variables: Readonly<Record<string, string>>
  readonly path: string
  readonly summary: string
  /** The commands the runner would find in stdout: `error`, `warning`, `group` and their like, with their unescaped message. */
  readonly commands: readonly { readonly name: string; readonly message: string }[]
  readonly durationMs: number
  readonly folder: string
}

const files = {
  outputs: 'GITHUB_OUTPUT',
  state: 'GITHUB_STATE',
  variables: 'GITHUB_ENV',
  path: 'GITHUB_PATH',
  summary: 'GITHUB_STEP_SUMMARY',
} as const

/** Starts dist/<name>.js as the runner does, in an environment of its own: everything goes in by variables and comes out by files. */
export async function runBundle(name: string, options: BundleOptions = {}): Promise<BundleRun> {
  const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-dist-'))
  for (const part of ['bin', 'home', 'temp', 'tools', 'workspace']) mkdirSync(path.join(folder, part))
  for (const [program, text] of Object.entries(options.programs ?? {})) {
    writeFileSync(path.join(folder, 'bin', program), `#!${process.execPath}\n${text}\n`)
    chmodSync(path.join(folder, 'bin', program), 0o755)
  }
  for (const [file, text] of Object.entries(options.workspace ?? {})) {
    mkdirSync(path.dirname(path.join(folder, 'workspace', file)), { recursive: true })
    writeFileSync(path.join(folder, 'workspace', file), text)
  }
  const env: Record<string, string> = {
    PATH: path.join(folder, 'bin'),
    HOME: path.join(folder, 'home'),
    RUNNER_TEMP: path.join(folder, 'temp'),
    RUNNER_TOOL_CACHE: path.join(folder, 'tools'),
    GITHUB_WORKSPACE: path.join(folder, 'workspace'),
    GITHUB_RUN_ID: '1',
    GITHUB_JOB: 'test',
    GITHUB_ACTION: name,
  }
  for (const variable of Object.values(files)) {
    env[variable] = path.join(folder, variable)
    writeFileSync(path.join(folder, variable), '')
  }
  for (const [input, value] of Object.entries(options.inputs ?? {})) env[inputVariable(input)] = value
  for (const [key, value] of Object.entries(options.state ?? {})) env[`STATE_${key}`] = value
  const started = performance.now()
  const { code, stdout, stderr } = await start(name, folder, { ...env, ...options.env }, options)
  const read = (file: keyof typeof files): string => readFileSync(path.join(folder, files[file]), 'utf8')
  return {
    code,
    stdout,
    stderr,
    outputs: pairsOf(read('outputs')),
    state: pairsOf(read('state')),
    variables: pairsOf(read('variables')),
    path: read('path'),
    summary: read('summary'),
    commands: commandsOf(stdout),
    durationMs: performance.now() - started,
    folder,
  }
}

function start(
  name: string,
  folder: string,
  env: Record<string, string>,
  options: BundleOptions,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    // Directly, not by a shell: a shell may lose variables with hyphens in their names.
    const child = spawn(process.execPath, [path.join(options.root ?? repository, 'dist', `${name}.js`)], {
      cwd: path.join(folder, 'workspace'),
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const text = { stdout: '', stderr: '' }
    child.stdout.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (text.stderr += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...text }))
    options.onStart?.(child, folder)
  })
}
