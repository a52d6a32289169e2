import { join } from 'node:path'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import { InputError, isCancellation, messageOf, NotReadyError, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { culpritOf } from './culprit.ts'
import { collectDiagnostics } from './diagnostics.ts'
import { nodeFault } from './node-fault.ts'
import type { ClusterState } from './state.ts'
import type { StateJournal } from './state-journal.ts'

/**
 * Collects what explains a failed creation under the state's `logsPath`. `wasThere`: the cluster was not made by this run.
 */
export async function collectEvidence(
  host: Host,
  journal: StateJournal,
  error: unknown,
  wasThere: boolean,
): Promise<void> {
  // On a cancelled run every second belongs to the clean-up.
  if (host.signal.aborted || isCancellation(error)) return
  const { state } = journal
  host.log.info(`collecting evidence under ${state.logsPath}`)
  // A cluster that was there keeps its rank: the next run shall look at it again, not replace it.
  if (!wasThere) {
    await journal
      .update({ phase: 'failed' })
      .catch((problem: unknown) => host.log.warning(`the state was not saved: ${messageOf(problem)}`))
  }
  const kubernetes = await createKubernetes(host, { kubeconfig: state.kubeconfig, context: state.context }).catch(
    () => undefined,
  )
  const { kind } = state.tools
  await host.timings.phase('diagnostics', () =>
    collectDiagnostics(host, {
      cluster: state.name,
      folder: state.logsPath,
      ...(kind === undefined ? {} : { kind: kind.path }),
      ...(kubernetes === undefined ? {} : { kubernetes }),
    }),
  )
}

/** The error with its code and hint, and with the fact that explains it in its message, which becomes the one annotation. */
export async function withCulprit(error: unknown, state: ClusterState): Promise<unknown> {
  if (!(error instanceof ToolkitError) || isCancellation(error) || error instanceof InputError) return error
  const fault = creationCodes.has(error.code) ? await nodeFault(join(state.logsPath, 'nodes')) : undefined
  const message = fault === undefined ? culpritOf(error) : `${error.message} (${fault.fact})`
  if (message === error.message && fault === undefined && error.hint !== undefined) return error
  const details = {
    code: error.code,
    cause: error.cause ?? error,
    hint: fault?.hint ?? error.hint ?? `Everything collected lies under ${state.logsPath}.`,
    diagnostics: error.diagnostics,
  }
  return error instanceof NotReadyError ? new NotReadyError(message, details) : new ToolkitError(message, details)
}

/** Failures of kind itself, which says what it waited for in vain and not why. */
const creationCodes = new Set(['CLUSTER_CREATE_FAILED', 'CLUSTER_TIMEOUT'])
