import path from 'node:path'
import { stateFolder } from '../process/environment.ts'

/**
 * Every variable of the runner that is read, and what for. Variables of our own (`K8S_PLATFORM_*`) are listed in src/process/environment.ts. No other file below
 * actions/ or src/ but this one and the command line's host looks at the environment.
 */
export interface RunnerEnvironment {
  /** `RUNNER_TEMP`: emptied when the job ends. */
  readonly temp: string
  /** Downloads and built images. Not under HOME: `K8S_PLATFORM_CACHE_DIR`, else inside `RUNNER_TOOL_CACHE`, else inside `RUNNER_TEMP`. */
  readonly cache: string
  readonly state: string
  /** `GITHUB_RUN_ID`, `GITHUB_RUN_ATTEMPT`, `GITHUB_JOB`; undefined outside of a runner. */
  readonly runId: string | undefined
  readonly runAttempt: string | undefined
  readonly job: string | undefined
  /** What makes a leg of a matrix different from its siblings, which share run id and job: `RUNNER_NAME` and the tracking id. */
  readonly leg: string
  /** `GITHUB_ACTION`: id of the step within its job. */
  readonly step: string | undefined
  /** `KUBECONFIG`, where it names one file. */
  readonly kubeconfig: string | undefined
  /**
   * `ACTIONS_RESULTS_URL` and `ACTIONS_RUNTIME_TOKEN`, which the runner gives to actions alone; undefined where one is missing. `unsupported` on a server other than
   * GitHub's own (`GITHUB_SERVER_URL`).
   */
  readonly artifactService: { readonly url: string; readonly token: string; readonly unsupported: boolean } | undefined
  /** `RUNNER_DEBUG` is `1`: debug logging was asked for. */
  readonly debug: boolean
  /** For child processes, without what is ours alone (see {@link childEnvironment}). */
  readonly child: Readonly<Record<string, string>>
  /** All of it, for reading inputs and state. */
  readonly raw: Readonly<Record<string, string | undefined>>
}

type Environment = Readonly<Record<string, string | undefined>>

export function readEnvironment(env: Environment, temporary: string): RunnerEnvironment {
  const temp = path.resolve(env['RUNNER_TEMP'] || temporary)
  return {
    temp,
    cache: cacheFolder(env, temp),
    state: stateFolder(env),
    runId: env['GITHUB_RUN_ID'] || undefined,
    runAttempt: env['GITHUB_RUN_ATTEMPT'] || undefined,
    job: env['GITHUB_JOB'] || undefined,
    leg: `${env['RUNNER_NAME'] ?? ''} ${env['RUNNER_TRACKING_ID'] ?? ''} ${temp}`,
    step: env['GITHUB_ACTION'] || undefined,
    kubeconfig: env['KUBECONFIG'] || undefined,
    artifactService: artifactService(env),
    debug: env['RUNNER_DEBUG'] === '1',
    child: childEnvironment(env),
    raw: env,
  }
}

function artifactService(env: Environment): RunnerEnvironment['artifactService'] {
  const [url, token] = [env['ACTIONS_RESULTS_URL'], env['ACTIONS_RUNTIME_TOKEN']]
  if (!url || !token || !URL.canParse(url)) return undefined
  const server = env['GITHUB_SERVER_URL'] || 'https://github.com'
  const host = URL.canParse(server) ? new URL(server).hostname.toLowerCase() : ''
  return { url, token, unsupported: !/(^github\.com|\.ghe\.com|\.localhost)$/.test(host) }
}

function cacheFolder(env: Environment, temp: string): string {
  const own = env['K8S_PLATFORM_CACHE_DIR']
  if (own) return path.resolve(own)
  const toolCache = env['RUNNER_TOOL_CACHE']
  return toolCache ? path.resolve(toolCache, 'k8s-platform') : path.join(temp, 'k8s-platform-cache')
}

/** Inputs and state may hold secrets, and the command files are the job's: programs that we start get neither. */
const notForChildren =
  /^(INPUT_|STATE_|GITHUB_(OUTPUT|STATE|ENV|PATH|STEP_SUMMARY)$|ACTIONS_(RUNTIME|ID_TOKEN_REQUEST|CACHE|RESULTS)_)/

function childEnvironment(env: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !notForChildren.test(entry[0]),
    ),
  )
}
