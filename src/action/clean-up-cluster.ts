import { collectDiagnostics } from '../cluster/diagnostics.ts'
import { livenessOf } from '../cluster/owner.ts'
import { type ClusterState, readState } from '../cluster/state.ts'
import { teardownCluster } from '../cluster/teardown.ts'
import { ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { jobOwner } from './job-cluster.ts'
import type { PostContext } from './run.ts'
import { uploadEvidence, wantsArtifact } from './upload-evidence.ts'

/** What main leaves for {@link cleanUpCluster}. */
export type ClusterStateKey = 'cluster-name' | 'cleanup' | 'logs' | 'artifact' | 'artifact-name'

/**
 * The post step of everything that makes a cluster: evidence if it is wanted, then removal if it is wanted, then the upload of the evidence, which is worth least. Does nothing when main did not get as far as claiming a
 * name, so a cluster that somebody else made under that name is safe.
 */
export async function cleanUpCluster(context: PostContext<ClusterStateKey>): Promise<void> {
  const { state, jobSucceeded, host, environment } = context
  const name = state.get('cluster-name')
  if (name === '') {
    host.log.info('nothing was made, nothing to clean up')
    return
  }
  const record = await readRecord(host, name)
  if (record !== undefined && (await isSomebodyElses(record, context))) {
    host.log.warning(`cluster ${name} belongs to somebody else, who is alive; it is left alone`)
    return
  }
  const logs = state.get('logs')
  const artifact = state.get('artifact')
  const wantLogs = logs === 'always' || (logs !== 'never' && (!jobSucceeded || wantsArtifact(artifact, jobSucceeded)))
  // A cluster that failed to come up has left its evidence already.
  if (wantLogs && record !== undefined && record.phase !== 'failed') {
    await host.log.group('collect logs', async () => {
      const { createKubernetes } = await import('../kubernetes/create-kubernetes.ts')
      const kubernetes = await createKubernetes(host, record).catch(() => undefined)
      const kind = record.tools['kind']?.path
      await collectDiagnostics(host, {
        cluster: name,
        folder: record.logsPath,
        ...(kind === undefined ? {} : { kind }),
        ...(kubernetes === undefined ? {} : { kubernetes }),
      })
    })
  }
  if (wantLogs && record !== undefined) host.log.notice(`logs of cluster ${name}: ${record.logsPath}`)
  try {
    await removeIfWanted(host, name, wantRemoval(state.get('cleanup'), jobSucceeded), wantLogs)
  } finally {
    if (wantLogs && record !== undefined) {
      const request = { artifact, jobSucceeded, name: state.get('artifact-name'), folder: record.logsPath }
      await uploadEvidence(host, environment, request)
    }
  }
}

async function removeIfWanted(host: Host, name: string, wanted: boolean, keepLogs: boolean): Promise<void> {
  if (!wanted) {
    host.log.notice(`cluster ${name} is kept; the teardown action removes it`)
    return
  }
  const removed = await host.log.group(`remove cluster ${name}`, () =>
    teardownCluster(host, name, { keepLogs, evenIfDamaged: true }),
  )
  host.log.info(removed.length === 0 ? 'nothing was left to remove' : `removed ${removed.join(', ')}`)
}

function wantRemoval(cleanup: string, jobSucceeded: boolean): boolean {
  if (cleanup === 'never') return false
  return cleanup === 'on-success' ? jobSucceeded : true
}

/** A damaged one tells nothing; the removal says so. */
async function readRecord(host: Host, name: string): Promise<ClusterState | undefined> {
  try {
    return await readState(host, name)
  } catch (error) {
    if (error instanceof ToolkitError && error.code === 'STATE_UNREADABLE') return undefined
    throw error
  }
}

/** What main left for us may be wrong. A cluster is ours if this job's process owns it; one whose owner is gone is nobody's. */
async function isSomebodyElses(
  { owner }: ClusterState,
  { environment }: PostContext<ClusterStateKey>,
): Promise<boolean> {
  if (owner.kind === 'person') return true
  const own = await jobOwner(environment)
  const same = own.bootId === owner.bootId && own.pid === owner.pid && own.startTime === owner.startTime
  return !same && (await livenessOf(owner)) !== 'dead'
}
