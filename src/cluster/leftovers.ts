import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { livenessOf, type ProcessTable } from './owner.ts'
import { type ClusterState, listStates } from './state.ts'
import { teardownCluster } from './teardown.ts'

/**
 * True for a cluster nobody will come back for: its job is over, killed before its post step ran. A cluster made by a person stays until taken down, unless its
 * creation was killed half way. An owner that cannot be looked up from here counts as alive.
 */
export async function isLeftover(state: ClusterState, table?: ProcessTable): Promise<boolean> {
  if (state.owner.kind === 'person' && state.phase !== 'creating' && state.phase !== 'deleting') return false
  return (await livenessOf(state.owner, table)) === 'dead'
}

/** Removes what dead runs left on this host, and never a live neighbour's. Failures are warnings: they are not this run's fault. Resolves with what was removed. */
export async function sweepLeftovers(host: Host, table?: ProcessTable): Promise<string[]> {
  const removed: string[] = []
  for (const state of await listStates(host)) {
    if (!(await isLeftover(state, table))) continue
    const run = state.owner.runId === undefined ? 'a run' : `run ${state.owner.runId}`
    host.log.info(`cluster ${state.name} was left behind by ${run} that is over; removing it`)
    try {
      removed.push(...(await teardownCluster(host, state.name)))
    } catch (error) {
      host.log.warning(`what is left of cluster ${state.name} could not be removed: ${messageOf(error)}`)
    }
  }
  return removed
}
