import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { readState } from '../../src/cluster/state.ts'
import { ToolkitError } from '../../src/process/errors.ts'
import { formatSeconds } from '../../src/process/wait.ts'
import { type CreationDrill, create, creationMs, proveCreation } from './creation-drill.ts'
import type { CreationFault } from './creation-faults.ts'
import { refuseNodes } from './creation-plants.ts'
import type { FaultRow, Finding } from './prove-fault.ts'

/** After the deadline kind is ended and evidence collected: docs/clusters.md promises that it takes no longer. */
const evidenceMs = 75_000

function limitOf(entry: CreationFault, deadlineMs: number): number {
  return entry.withinSeconds ?? (deadlineMs + evidenceMs) / 1_000
}

export function creationRow(entry: CreationFault, deadlineMs = creationMs): FaultRow {
  const { code, line, next, fault } = entry
  const expected = `${code} within ${limitOf(entry, deadlineMs)} s, its first line ${plain(String(line))}, then ${next}`
  return { section: 'creation', fault, expected }
}

/**
 * Plants one fault in a real creation of one control plane and one worker. Expects the one error with its code, its first line and its way out, in time, and that the state can
 * be read and everything removed afterwards.
 */
export function runCreationFault(entry: CreationFault, deadlineMs = creationMs): Promise<void> {
  return proveCreation(creationRow(entry, deadlineMs), entry.plant, async (host, drill) => {
    drill.request = { ...drill.request, timeoutMs: deadlineMs }
    const started = performance.now()
    const error: unknown = await create(host, drill).then(
      () => new Error('the cluster was made'),
      (reason: unknown) => reason,
    )
    const finding = findingOf(entry, error, performance.now() - started, limitOf(entry, deadlineMs))
    // Whatever happened: the record is whole or was never made.
    const record = await readState(host, drill.name)
    const wrong = record === undefined || record.name === drill.name ? [] : [`the record is of ${record.name}`]
    return { seen: finding.seen.replaceAll(drill.folder, '<folder>'), wrong: [...finding.wrong, ...wrong] }
  })
}

/** What was told of a creation that failed, held against its row. */
export function findingOf(entry: CreationFault, error: unknown, elapsedMs: number, limit: number): Finding {
  const known = error instanceof ToolkitError ? error : undefined
  const [first = ''] = String(known?.message ?? error).split('\n')
  const told = `${known?.message}\n${known?.hint ?? ''}`
  const wrong = [
    ...(known?.code === entry.code ? [] : [`${known?.code ?? 'no known error'} instead of ${entry.code}`]),
    ...(entry.line.test(first) ? [] : [`its first line is not as ${entry.line}`]),
    ...(entry.next.test(told) ? [] : [`what to do is not as ${entry.next}`]),
    ...(elapsedMs <= limit * 1_000 ? [] : [`it took more than ${limit} s`]),
  ]
  const took = formatSeconds(elapsedMs)
  return {
    seen: `${known?.code ?? 'no known error'} after ${took}: ${plain(first)}`,
    wrong: wrong.length === 0 ? [] : [...wrong, `after ${took}: ${told}\n${known?.diagnostics.join('\n') ?? error}`],
  }
}

/** The table is the same whoever runs it. */
function plain(text: string): string {
  return text.replaceAll(String(process.pid), '<pid>')
}

export const retryRow: FaultRow = {
  section: 'creation',
  fault: 'Docker cannot bind a port that was free a moment before, once',
  expected: 'a cluster at the second try; one warning tells of it; the first one’s logs under logs-path/attempt-1',
}

const retryShown = /^creating the cluster failed, but this is known to pass: .+; try 2 of 3$/

/** A first try that fails as Docker fails when a port was taken meanwhile: the second one makes the cluster, and the first one's logs are kept. */
export function runTransientRetry(): Promise<void> {
  return proveCreation(retryRow, plantRefusedPort, async (host, drill) => {
    const warnings: string[] = []
    const log = {
      ...host.log,
      warning(message: string) {
        warnings.push(message)
        host.log.warning(message)
      },
    }
    const result = await create({ ...host, log }, drill).catch((error: unknown) => error)
    const attempts = (result as { attempts?: number }).attempts
    const firstLog = firstTryLog(drill)
    const kept = firstLog.includes('port is already allocated')
    const shown = warnings.filter((message) => retryShown.test(message))
    const told = `${shown.length === 1 ? 'shown' : 'not shown'}, logs ${kept ? 'kept' : 'missing'}`
    return {
      seen: attempts === undefined ? String(result) : `a cluster at try ${attempts}, ${told}`,
      wrong: [
        ...(attempts === 2 ? [] : [`attempts: ${attempts}: ${String(result)}`]),
        ...(shown.length === 1 ? [] : [`${shown.length} warnings tell of the second try: ${warnings.join('; ')}`]),
        ...(kept ? [] : [`the log of the first try: ${firstLog}`]),
      ],
    }
  })
}

function plantRefusedPort(drill: CreationDrill): void {
  drill.request = { ...drill.request, nodes: [{ role: 'control-plane' }] }
  const message =
    'docker: Error response from daemon: driver failed programming external connectivity on endpoint x (0a1b): Bind for 127.0.0.1:PORT failed: port is already allocated.'
  refuseNodes(drill, message, 1)
}

function firstTryLog(drill: CreationDrill): string {
  const file = path.join(drill.folder, 'cluster', 'logs', 'attempt-1', 'kind.log')
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
