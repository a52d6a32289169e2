import { join } from 'node:path'
import { CommandError, isCancellation, NotReadyError, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { kindClusterLabel, listContainers, removeContainers } from './docker.ts'
import type { KindPlan } from './kind.ts'
import { creationError, keepOutput, saidBy } from './kind-failure.ts'
import { exportNodeLogs } from './node-logs.ts'
import { outOfTime, timeLeft } from './time-left.ts'
import { transientFailure } from './transient.ts'

const mostAttempts = 3

/** A try to create the cluster that failed. */
export interface FailedTry {
  readonly error: unknown
  /** From 1. */
  readonly attempt: number
  /** What the first try failed with; undefined when this is it. */
  readonly first: unknown
  /** Path of kind. */
  readonly kind: string
  /** Host ports that somebody asked for by number. */
  readonly askedPorts: readonly number[]
}

/**
 * Clears the way for another try where the failure is known to pass; keeps the logs of the failed one. Rejects with what a person is told where there is no use in
 * another, no time for it, or the way cannot be cleared: what failed first is part of that.
 */
export async function clearForRetry(host: Host, plan: KindPlan, failed: FailedTry): Promise<void> {
  const { error, attempt } = failed
  const output = error instanceof CommandError ? `${error.stderr}\n${error.stdout}` : ''
  const failure = transientFailure(output, failed.askedPorts)
  if (failure === undefined || attempt >= mostAttempts || host.signal.aborted) {
    await keepOutput(plan.logsPath, output)
    throw withFirst(await creationError(host, error, plan, attempt), failed)
  }
  const folder = join(plan.logsPath, `attempt-${attempt}`)
  await keepOutput(folder, output)
  const reason = withFirst(error, failed)
  if (timeLeft(host, plan.deadline) === 0) throw outOfTime(`no time left for another try: ${saidBy(reason)}`, error)
  host.log.warning(
    `creating the cluster failed, but this is known to pass: ${failure.reason}; try ${attempt + 1} of ${mostAttempts}`,
  )
  await host.timings.phase(`logs of try ${attempt}`, () => exportNodeLogs(host, failed.kind, plan.request.name, folder))
  try {
    await removeContainers(host, await listContainers(host, `${kindClusterLabel}=${plan.request.name}`))
  } catch (problem) {
    if (isCancellation(problem)) throw problem
    throw new ToolkitError(
      `cluster ${plan.request.name} could not be created: ${saidBy(reason)}; nor could it be tried again, for its nodes were not removed: ${saidBy(problem)}`,
      { code: 'CLUSTER_CREATE_FAILED', cause: error, hint: `The nodes' journals are under ${plan.logsPath}.` },
    )
  }
}

/** The error with what the first try failed with, where that was something else. */
function withFirst(error: unknown, { first }: FailedTry): unknown {
  if (first === undefined || !(error instanceof ToolkitError) || isCancellation(error)) return error
  const why = saidBy(first)
  if (error.message.includes(why)) return error
  const message = `${saidBy(error)}; the first try failed: ${why}`
  const { code, hint, diagnostics } = error
  const details = { code, ...(hint === undefined ? {} : { hint }), diagnostics, cause: error.cause ?? first }
  return error instanceof NotReadyError ? new NotReadyError(message, details) : new ToolkitError(message, details)
}
