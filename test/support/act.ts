import { execFile, spawn } from 'node:child_process'
import { appendFileSync, existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { cacheFolder } from '../../src/process/environment.ts'
import { type ActEntry, type ActStep, parseEntry, readable, stepsOf } from './act-log.ts'
import { pinnedTool } from './pinned-tool.ts'
import { repository } from './test-host.ts'

/**
 * Runs workflows on this machine with act (https://github.com/nektos/act) in host mode: steps are processes here, as on a runner, not in a container.
 *
 * Where act 0.2.82 differs from GitHub's runner, read in its source and seen:
 * - Steps write to a terminal, not to a pipe: `isTTY` is true and programs may colour. Each step leads a session of its own.
 * - `uses: org/repo/folder@ref` copies the *whole* local repository anew before each step (one copy per `uses:` text), so files written beside dist/ are gone.
 * - One GITHUB_STEP_SUMMARY, GITHUB_OUTPUT and GITHUB_STATE file serves all steps, emptied before each. A post step that sets outputs sets them for real.
 * - RUNNER_TEMP is a new folder per job and removed with it, but only when the job succeeded; of a failed job all files stay.
 * - RUNNER_TOOL_CACHE is a folder beside it. RUNNER_NAME and RUNNER_TRACKING_ID are empty, GITHUB_ACTION_PATH is empty for node actions, and GITHUB_RUN_ID is
 *   `1` unless given. GITHUB_WORKSPACE is an empty folder until a checkout.
 * - GITHUB_ACTION is the step's id, or its number from 0; the runner writes `__org_repo` where there is no id.
 * - Steps see act's own environment, HOME and PATH included; the runner gives them a clean one. Hence the environment that is made here.
 * - Defaults of inputs are evaluated again for the post step, so `${{ job.status }}` says there how the job went. That is as on the runner.
 * - `post-if` is honoured; without it post steps run always. No step is ever run in the background.
 * - After SIGINT the steps in progress are killed (SIGKILL) at once; the runner sends SIGINT, SIGTERM, SIGKILL. Cancellation is tested elsewhere.
 * - The first node on act's PATH runs `using: node24`, whichever version it is.
 */
export interface ActRun {
  readonly code: number | null
  /** In the order in which they ended: every main and post step that was not skipped. */
  readonly steps: readonly ActStep[]
  /** Result of each job by its id, `success` or `failure`. */
  readonly jobs: Readonly<Record<string, string>>
  /** Everything that was said, as a person would read it. */
  readonly logFile: string
  /** The end of the log and where all of it is, for the message of a failed expectation. */
  readonly explanation: string
}

export interface ActOptions {
  /** Workflow file; it is copied, and runs in a repository that holds nothing else. */
  readonly workflow: string
  readonly event: 'workflow_dispatch' | 'push' | 'pull_request'
  readonly inputs?: Readonly<Record<string, string>>
  /** Folder of an unpacked commit that `org/k8s-platform@v1` means. */
  readonly actions: string
  /** Folder for everything this run writes; made, and left for the caller to remove. HOME, runner files, records of clusters and the log lie in it. */
  readonly folder: string
  /** Records of clusters, where they are those of an earlier run. Default: a folder of this run's own. */
  readonly state?: string
  /** GITHUB_RUN_ID, which becomes part of the cluster's name. */
  readonly runId: string
  /** Milliseconds until the job is cancelled; its post steps may then take another minute. */
  readonly timeoutMs: number
}

/** The folders that a run uses below {@link ActOptions.folder}. */
export function actFolders(folder: string): { home: string; state: string; runner: string; workspace: string } {
  return {
    home: path.join(folder, 'home'),
    /** K8S_PLATFORM_STATE_DIR. */
    state: path.join(folder, 'state'),
    /** What act keeps of jobs: RUNNER_TEMP of failed ones. */
    runner: path.join(folder, 'runner'),
    workspace: path.join(folder, 'workspace'),
  }
}

const actions = 'org/k8s-platform@v1'
/** What `runs-on` may say; all of them are this machine. */
const runners = ['ubuntu-latest', 'ubuntu-24.04']
const postStepsMs = 60_000

/** Runs one event through one workflow file. Resolves also when the workflow failed. Pulls nothing and fetches no action. */
export async function runAct(options: ActOptions): Promise<ActRun> {
  const own = actFolders(options.folder)
  const folders = { ...own, state: options.state ?? own.state }
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true })
  await makeRepository(folders.workspace, options.workflow)
  const program = await pinnedTool('act', 'github.com/nektos/act')
  const args = [
    options.event,
    '--json',
    '--directory',
    folders.workspace,
    '--workflows',
    path.join(folders.workspace, '.github', 'workflows'),
    ...runners.flatMap((label) => ['--platform', `${label}=-self-hosted`]),
    '--local-repository',
    `${actions}=${options.actions}`,
    '--pull=false',
    '--action-offline-mode',
    '--no-cache-server',
    '--action-cache-path',
    folders.runner,
    '--env',
    `GITHUB_RUN_ID=${options.runId}`,
    ...Object.entries(options.inputs ?? {}).flatMap(([name, value]) => ['--input', `${name}=${value}`]),
  ]
  const logFile = path.join(options.folder, 'act.log')
  const entries: ActEntry[] = []
  const code = await spawnAct(program, args, {
    env: await stepEnvironment(folders),
    // Not where a person's .actrc may lie.
    cwd: folders.workspace,
    timeoutMs: options.timeoutMs,
    onLine(line) {
      const entry = parseEntry(line)
      if (entry !== undefined) entries.push(entry)
      // As it comes: a run that hangs can be watched, and one that is killed leaves its log.
      appendFileSync(logFile, `${entry === undefined ? line : readable(entry)}\n`)
    },
  })
  const tail = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-80).join('\n')
  return {
    code,
    steps: stepsOf(entries),
    jobs: Object.fromEntries(
      entries.flatMap((entry) => (entry.jobResult === undefined ? [] : [[entry.jobID ?? '', entry.jobResult]])),
    ),
    logFile,
    explanation: `act ended with ${code}; the whole log: ${logFile}; its end:\n${tail}`,
  }
}

/** Resolves with the exit code. A cancelled job still gets its post steps (SIGINT); what takes longer than those may is killed. */
function spawnAct(
  program: string,
  args: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string>>
    readonly cwd: string
    readonly timeoutMs: number
    readonly onLine: (line: string) => void
  },
): Promise<number | null> {
  const { env, cwd, timeoutMs, onLine } = options
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const timers = [
      setTimeout(() => {
        onLine(`cancelled: not done after ${timeoutMs / 1000} s`)
        child.kill('SIGINT')
      }, timeoutMs),
      setTimeout(() => child.kill('SIGKILL'), timeoutMs + postStepsMs),
    ]
    const lines = [child.stdout, child.stderr].map((input) => createInterface({ input }).on('line', onLine))
    child.on('error', reject)
    child.on('close', (code) => {
      for (const timer of timers) clearTimeout(timer)
      for (const reader of lines) reader.close()
      resolve(code)
    })
  })
}

/** act takes repository, branch and commit of the job from the folder it runs in. */
async function makeRepository(folder: string, workflow: string): Promise<void> {
  const target = path.join(folder, '.github', 'workflows', path.basename(workflow))
  await mkdir(path.dirname(target), { recursive: true })
  await writeFile(target, await readFile(workflow))
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.invalid', '-c', 'commit.gpgsign=false']
  await run('git', ['-C', folder, 'init', '--quiet', '--initial-branch=main'])
  await run('git', ['-C', folder, 'remote', 'add', 'origin', 'https://github.com/example/shop.git'])
  await run('git', ['-C', folder, 'add', '.'])
  await run('git', ['-C', folder, ...identity, 'commit', '--quiet', '--message', 'Add the workflow'])
}

/** Variables of the session around the test that would make a step believe in another job, cluster or user. */
const foreign =
  /^(GITHUB_|RUNNER_|ACTIONS_|INPUT_|STATE_|K8S_PLATFORM_|XDG_|VITEST|npm_|NODE_(ENV|OPTIONS|PATH|CHANNEL_FD)|KUBECONFIG$|FORCE_COLOR$|TEST$|CI$)/

/**
 * What steps find: this machine's environment with a HOME of their own, Node 24 first on PATH, and the image cache of this machine, so that a
 * run need not build what is built.
 */
async function stepEnvironment(folders: { home: string; state: string }): Promise<Record<string, string>> {
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !foreign.test(entry[0]),
  )
  // Go keeps modules and builds below HOME unless told where.
  const { stdout } = await run('go', ['env', '-json', 'GOPATH', 'GOCACHE', 'GOMODCACHE', 'GOENV'])
  return {
    ...Object.fromEntries(inherited),
    ...(JSON.parse(stdout) as Record<string, string>),
    PATH: [node24Folder(), process.env['PATH'] ?? ''].join(path.delimiter),
    HOME: folders.home,
    K8S_PLATFORM_STATE_DIR: folders.state,
    K8S_PLATFORM_CACHE_DIR: cacheFolder(process.env),
    // It would ask its project's server for a newer version.
    ACT_DISABLE_VERSION_CHECK: '1',
  }
}

/** Of the Node that npm brings along; on other platforms the one that runs this test. */
function node24Folder(): string {
  const own = path.join(repository, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin')
  return existsSync(own) ? own : path.dirname(process.execPath)
}

const run = promisify(execFile)
