import { join } from 'node:path'
import { ToolkitError } from '../process/errors.ts'
import { withFileLock } from '../process/file-lock.ts'
import type { Host } from '../process/host.ts'
import { isLeftover, sweepLeftovers } from './leftovers.ts'
import { livenessOf } from './owner.ts'
import { type ClusterState, claimState, readState } from './state.ts'
import { teardownCluster } from './teardown.ts'

const claimMs = 600_000

/**
 * Makes the name ours by writing the state, after removing what dead runs left. Resolves with undefined then, or with the state of a cluster of that name that
 * lives and was made from the same request, which the caller may use. Rejects with ToolkitError `CLUSTER_EXISTS` for a living one that is somebody else's or
 * different.
 */
export async function claimCluster(
  host: Host,
  state: ClusterState,
  mayReuse: boolean,
): Promise<ClusterState | undefined> {
  // One at a time: of two that find the same dead run's cluster the slower would remove what the faster has made under that name since.
  const options = { timeoutMs: claimMs, doing: 'removes what dead runs have left' }
  const lock = join(host.paths.state, 'claim.lock')
  return await withFileLock(host, lock, options, () => claimAlone(host, state, mayReuse))
}

async function claimAlone(host: Host, state: ClusterState, mayReuse: boolean): Promise<ClusterState | undefined> {
  await sweepLeftovers(host)
  const attempts = 3
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const present = await readState(host, state.name)
    if (present !== undefined) {
      if (present.phase === 'failed' && present.owner.kind === 'person') {
        host.log.info(`cluster ${state.name} failed when it was made; starting afresh`)
        await teardownCluster(host, state.name)
      } else if ((await isLeftover(present)) || (await isOwnWreck(present, state))) {
        await teardownCluster(host, state.name)
      } else if (mayReuse && present.phase === 'ready' && present.requestKey === state.requestKey) {
        return present
      } else {
        throw exists(present, state)
      }
    }
    // Containers without a state: made by plain kind, or by a version that kept none. Their name is taken all the same; kind says so.
    if (await claimState(host, state)) return undefined
  }
  const present = await readState(host, state.name)
  throw exists(present ?? state, state)
}

/** Half made by an earlier step of the same job, which is over: a second try needs the name. */
async function isOwnWreck({ phase, owner, maker }: ClusterState, wanted: ClusterState): Promise<boolean> {
  const same = owner.bootId === wanted.owner.bootId && owner.pid === wanted.owner.pid
  if (phase === 'ready' || maker === undefined || !same || owner.startTime !== wanted.owner.startTime) return false
  return (await livenessOf(maker)) === 'dead'
}

function exists(present: ClusterState, wanted: ClusterState): ToolkitError {
  const different = present.phase === 'ready' && present.requestKey !== wanted.requestKey
  const by = present.owner.runId === undefined ? `process ${present.owner.pid}` : `run ${present.owner.runId}`
  return new ToolkitError(
    different
      ? `cluster ${present.name} exists already and was made from other settings`
      : `cluster ${present.name} exists already (${present.phase}, made by ${by} at ${present.createdAt})`,
    {
      code: 'CLUSTER_EXISTS',
      hint: `Take it down first (\`k8s-platform down\`, or the teardown action with cluster-name: ${present.name}), or choose another cluster-name.`,
    },
  )
}
