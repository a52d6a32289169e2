import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kubernetes } from '../kubernetes/client.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import { deadlineSignal } from '../process/deadline.ts'
import { CommandError, InputError, isCancellation, messageOf, NotReadyError, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { type Culprit, creationCulprit, fullHostDisk } from './creation-culprit.ts'
import { type CreationFacts, creationFacts, hostDisk } from './creation-facts.ts'
import { culpritOf } from './culprit.ts'
import { collectDiagnostics } from './diagnostics.ts'
import { exportKubeconfigArgs } from './kind-command.ts'
import { nodeFault } from './node-fault.ts'
import type { ClusterState } from './state.ts'
import type { StateJournal } from './state-journal.ts'

/** Looking and collecting together: a failed step shall end. What is not there by then is done without. */
const evidenceMs = 75_000

/**
 * Collects what explains a failed creation under the state's `logsPath`, and resolves with the error to throw: its first line names the culprit. `wasThere`: the cluster was
 * not made by this run. Never rejects: nothing that goes wrong here may hide what went wrong before.
 */
export async function explainFailure(
  host: Host,
  journal: StateJournal,
  error: unknown,
  wasThere: boolean,
): Promise<unknown> {
  // On a cancelled run every second belongs to the clean-up; what is wrong with the input, the input tells.
  if (host.signal.aborted || isCancellation(error) || error instanceof InputError) return error
  const { state } = journal
  const box: Host = { ...host, signal: AbortSignal.any([host.signal, deadlineSignal(evidenceMs)]) }
  const facts = await collectEvidence(box, journal, wasThere).catch((problem: unknown) => {
    host.log.info(`the evidence is incomplete: ${messageOf(problem)}`)
    return undefined
  })
  return await withCulprit(error, state, facts)
}

async function collectEvidence(host: Host, journal: StateJournal, wasThere: boolean): Promise<CreationFacts> {
  const { state } = journal
  host.log.info(`collecting evidence under ${state.logsPath}`)
  // A cluster that was there keeps its rank: the next run shall look at it again, not replace it.
  if (!wasThere) {
    await journal
      .update({ phase: 'failed' })
      .catch((problem: unknown) => host.log.warning(`the state was not saved: ${messageOf(problem)}`))
  }
  const kubernetes = await apiOf(host, state)
  const kind = state.tools['kind']
  const ended = new Promise<void>((resolve) => host.signal.addEventListener('abort', () => resolve(), { once: true }))
  const [facts] = await host.timings.phase('diagnostics', () =>
    Promise.all([
      creationFacts(host, state, kubernetes),
      // It goes on in the background where it hangs; its files are evidence, not facts.
      Promise.race([
        ended,
        collectDiagnostics(host, {
          cluster: state.name,
          folder: state.logsPath,
          ...(kind === undefined ? {} : { kind: kind.path }),
          ...(kubernetes === undefined ? {} : { kubernetes }),
        }),
      ]),
    ]),
  )
  return facts
}

/** kind writes the kubeconfig last of all; a creation that ended before may have an API all the same. */
async function apiOf(host: Host, state: ClusterState): Promise<Kubernetes | undefined> {
  const text = await readFile(state.kubeconfig, 'utf8').catch(() => '')
  const kind = state.tools['kind']
  if (text === '' && kind !== undefined) {
    const args = exportKubeconfigArgs(state.name, state.kubeconfig)
    await host.exec.run(kind.path, args, { quiet: true, timeoutMs: 15_000 }).catch(() => undefined)
  }
  return await createKubernetes(host, { kubeconfig: state.kubeconfig, context: state.context }).catch(() => undefined)
}

/** The error with the culprit as its first line, what was awaited below it, and what a person does next as its hint. */
async function withCulprit(error: unknown, state: ClusterState, facts: CreationFacts | undefined): Promise<unknown> {
  if (isDiskFull(error)) {
    const disk = facts?.hostDisks.toSorted((a, b) => a.freeBytes - b.freeBytes)[0]
    if (disk !== undefined) return told(error, fullHostDisk(disk))
  }
  if (!(error instanceof ToolkitError) || explained.has(error.code)) return error
  const fault = await nodeFault(join(state.logsPath, 'nodes'))
  const text = [error.message, ...outputOf(error)].join('\n')
  const culprit = facts === undefined ? undefined : creationCulprit({ code: error.code, text, fault, facts })
  if (culprit !== undefined) return told(error, culprit)
  const creation = error.code === 'CLUSTER_CREATE_FAILED' || error.code === 'CLUSTER_TIMEOUT'
  const message = creation && fault !== undefined ? `${error.message} (${fault.fact})` : culpritOf(error)
  return rebuilt(error, message, error.code, error.hint ?? `Everything collected lies under ${state.logsPath}.`)
}

/** These name the culprit themselves; what else is wrong came of it. */
const explained: ReadonlySet<string> = new Set(['PORT_TAKEN', 'REGISTRY_PORT_TAKEN'])

function told(error: unknown, { code, line, next }: Culprit): ToolkitError {
  return rebuilt(error, `${line}\n${messageOf(error)}`, code, next)
}

function rebuilt(error: unknown, message: string, code: string, hint: string): ToolkitError {
  const diagnostics = error instanceof ToolkitError ? error.diagnostics : []
  const cause = (error instanceof Error && error.cause) || error
  const details = { code, hint, cause, diagnostics }
  return error instanceof NotReadyError ? new NotReadyError(message, details) : new ToolkitError(message, details)
}

function outputOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const own = error instanceof CommandError ? [error.stderr, error.stdout] : []
  return [...own, ...outputOf(error.cause)]
}

/** The kernel's own word, through any number of errors that quote it. */
function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (error as NodeJS.ErrnoException).code === 'ENOSPC' || isDiskFull(error.cause)
}

/** For failures before there is a state to speak of: rejects with DISK_FULL where that is what happened, else with the error as it was. */
export async function diskFull(host: Host, state: Pick<ClusterState, 'folder'>, error: unknown): Promise<never> {
  if (!isDiskFull(error)) throw error
  const disks = (await Promise.all([host.paths.state, state.folder].map(hostDisk))).flat()
  const [disk] = disks.toSorted((a, b) => a.freeBytes - b.freeBytes)
  throw disk === undefined ? error : told(error, fullHostDisk(disk))
}
