import { collectDiagnostics } from '../cluster/diagnostics.ts'
import { readState } from '../cluster/state.ts'
import { teardownCluster } from '../cluster/teardown.ts'
import type { Host } from '../process/host.ts'
import type { PostContext } from './run.ts'
import { uploadEvidence, wantsArtifact } from './upload-evidence.ts'

/** What main leaves for {@link cleanUpCluster}. */
export type ClusterStateKey = 'cluster-name' | 'cleanup' | 'logs' | 'artifact' | 'artifact-name'

/**
 * The post step of everything that makes a cluster: evidence if it is wanted, then removal if it is wanted, then the upload of the evidence, which is worth least. Does nothing when main did not get as far as claiming a
 * name, so a cluster that somebody else made under that name is safe.
 */
export async function cleanUpCluster({
  state,
  jobSucceeded,
  host,
  environment,
}: PostContext<ClusterStateKey>): Promise<void> {
  const name = state.get('cluster-name')
  if (name === '') {
    host.log.info('nothing was made, nothing to clean up')
    return
  }
  const record = await readState(host, name)
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
  const removed = await host.log.group(`remove cluster ${name}`, () => teardownCluster(host, name, { keepLogs }))
  host.log.info(removed.length === 0 ? 'nothing was left to remove' : `removed ${removed.join(', ')}`)
}

function wantRemoval(cleanup: string, jobSucceeded: boolean): boolean {
  if (cleanup === 'never') return false
  return cleanup === 'on-success' ? jobSucceeded : true
}
