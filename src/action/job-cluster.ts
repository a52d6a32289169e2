import { createHash } from 'node:crypto'
import path from 'node:path'
import { type ClusterOwner, currentOwner } from '../cluster/owner.ts'
import type { Cluster } from '../cluster/provider.ts'
import type { ClusterState } from '../cluster/state.ts'
import { artifactName } from './artifact-name.ts'
import type { ClusterStateKey } from './clean-up-cluster.ts'
import type { RunnerEnvironment } from './environment.ts'

/**
 * `kp-<run id>-<job>-<hash>`: readable, and different for each attempt, each leg of a matrix and each step, which may run at the same time on one host. At most 40
 * characters, as a container's host name grows from it.
 */
export function jobClusterName(environment: RunnerEnvironment): string {
  const { runId, runAttempt, job, leg, step } = environment
  const hash = createHash('sha256')
    .update([runId, runAttempt, job, leg, step].map((part) => JSON.stringify(part ?? '')).join())
    .digest('hex')
    .slice(0, 6)
  const readable = `kp-${plain(runId ?? 'local').slice(0, 14)}-${plain(job ?? 'job')}`.slice(0, 33)
  return `${readable.replace(/-+$/, '')}-${hash}`
}

/** The job is the owner: what a killed one leaves behind, the next run on the host may remove. */
export function jobOwner({ runId, runAttempt }: RunnerEnvironment): Promise<ClusterOwner> {
  return currentOwner({
    pid: process.pid,
    kind: 'job',
    ...(runId === undefined ? {} : { runId }),
    ...(runAttempt === undefined ? {} : { runAttempt }),
  })
}

/** For `onState` of a set-up: hands the cluster to the post step, and its logs to the user, before anything of it exists. */
export function rememberCluster(context: {
  readonly inputs: {
    readonly cleanup: string
    readonly logs: string
    readonly artifact: string
    /** Undefined on a runner that does not evaluate the default of the input. */
    readonly matrix: readonly string[] | undefined
  }
  readonly environment: RunnerEnvironment
  readonly state: { set(name: ClusterStateKey, value: string): void }
}): (state: ClusterState) => void {
  let done = false
  return ({ name }) => {
    if (done) return
    done = true
    context.state.set('cluster-name', name)
    context.state.set('cleanup', context.inputs.cleanup)
    context.state.set('logs', context.inputs.logs)
    context.state.set('artifact', context.inputs.artifact)
    // In the post step inputs may be those of another step (https://github.com/actions/runner/issues/3514).
    context.state.set(
      'artifact-name',
      artifactName(context.environment, (context.inputs.matrix ?? []).join('\n'), name),
    )
  }
}

/** Folders of the programs that came with the cluster, for PATH. */
export function toolFolders(tools: Cluster['tools']): string[] {
  return [...new Set(Object.values(tools).map((file) => path.dirname(file)))]
}

function plain(text: string): string {
  return (
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'x'
  )
}
