import { CancelledError, messageOf, NotReadyError, ToolkitError, UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { formatSeconds } from '../process/wait.ts'
import type { Attempt, CheckRecord, Lane } from '../report/record.ts'
import { type Check, type CheckContext, inconclusive, type Outcome } from './check.ts'
import { describeRefusal, isRefusal, printRbac } from './refusal.ts'

export interface RunChecksOptions {
  /** Deadline of all checks together, milliseconds. */
  readonly timeoutMs: number
  /** Called with each record as soon as it is there, for progress. */
  readonly onRecord?: (record: CheckRecord) => void
}

const maxAttempts = 50
const lanes: readonly Lane[] = ['parallel', 'exclusive', 'final']

/** We could not look, and know why: nothing is there to be asked, or it did not say. */
export class InconclusiveError extends ToolkitError {
  constructor(message: string, options: { readonly cause?: unknown; readonly hint?: string } = {}) {
    super(message, { code: 'INCONCLUSIVE', ...options })
  }
}

/** We could not look because what we looked through was lost, a stream above all. Whatever `fail-on` tolerates, this it does not. */
export class LostError extends InconclusiveError {}

/** False for what is an answer: a refusal, or what a check says on purpose. All else that is thrown is a way lost, or a defect of the check. */
export function isLost(error: unknown): boolean {
  if (error instanceof LostError) return true
  const told = [InconclusiveError, UnsupportedError, CancelledError, NotReadyError]
  return !isRefusal(error) && !told.some((kind) => error instanceof kind)
}

/**
 * Runs every check: the parallel lane at once, then the exclusive ones one by one, then the final lane. Within a lane a check starts when its needs
 * are decided. Resolves with one record per check, in the given order; a check that throws or runs out of time is never green. Never rejects because of
 * a check.
 * @throws Error for ids used twice, unknown needs, needs in a later lane and cycles: defects of a suite, found before anything runs.
 */
export async function runChecks(
  host: Host,
  checks: readonly Check[],
  options: RunChecksOptions,
): Promise<CheckRecord[]> {
  validate(checks)
  const started = host.clock.monotonic()
  const overall = AbortSignal.any([host.signal, AbortSignal.timeout(options.timeoutMs)])
  const pending = new Map<string, Promise<CheckRecord>>()
  const chains = new Map<string, Promise<unknown>>()

  const start = async (check: Check): Promise<CheckRecord> => {
    const needed = await Promise.all(check.needs.map((id) => pending.get(id)))
    const missing = needed.filter((record) => record !== undefined && record.verdict !== 'pass')
    const red = missing.map((record) => `${record?.id} (${record?.verdict})`).join(', ')
    const record =
      red.length > 0
        ? emptyRecord(check, host.clock.monotonic() - started, 'skipped', `needs ${red}`)
        : await runOne(host, check, overall, started, options.timeoutMs)
    options.onRecord?.(record)
    return record
  }
  const launch = (check: Check): Promise<CheckRecord> => {
    if (check.serial === undefined) return start(check)
    const queued = (chains.get(check.serial) ?? Promise.resolve()).then(() => start(check))
    chains.set(check.serial, queued)
    return queued
  }

  for (const lane of lanes) {
    for (const check of inNeedsOrder(checks.filter((candidate) => candidate.lane === lane))) {
      const running = launch(check)
      pending.set(check.id, running)
      if (lane === 'exclusive') await running
    }
    await Promise.all(pending.values())
  }
  const records = await Promise.all(checks.map((check) => pending.get(check.id)))
  return records.filter((record) => record !== undefined)
}

async function runOne(
  host: Host,
  check: Check,
  overall: AbortSignal,
  origin: number,
  overallMs: number,
): Promise<CheckRecord> {
  const begun = host.clock.monotonic()
  const startMs = begun - origin
  if (overall.aborted) {
    const why = host.signal.aborted ? 'the run was cancelled' : `the run's ${formatSeconds(overallMs)} were used up`
    const record = emptyRecord(check, startMs, 'inconclusive', `not run: ${why}`)
    return host.signal.aborted ? record : { ...record, timedOut: true }
  }
  const deadline = AbortSignal.timeout(check.timeoutMs)
  const signal = AbortSignal.any([overall, deadline])
  const attempts: Attempt[] = []
  let waitingFor = 'its first look'
  const elapsed = (): number => Math.round(host.clock.monotonic() - begun)
  const context: CheckContext = {
    host: { ...host, signal },
    leftMs: () => Math.max(0, check.timeoutMs - elapsed()),
    waiting: (forWhat) => {
      waitingFor = forWhat
    },
    attempt: (seen) => {
      waitingFor = seen
      if (attempts.at(-1)?.seen === seen) return
      // The first looks and the last one tell the story; a check that flips for minutes must not fill the report.
      if (attempts.length >= maxAttempts) attempts.pop()
      attempts.push({ atMs: elapsed(), seen })
    },
  }
  const stopped = new Promise<'stopped'>((resolve) => {
    signal.addEventListener('abort', () => resolve('stopped'), { once: true })
  })
  let outcome: Outcome | 'stopped'
  try {
    const body = check.run(context)
    // A body that loses the race goes on until its own requests end; what it then says no longer matters.
    body.catch(() => {})
    outcome = await Promise.race([body, stopped])
  } catch (error) {
    outcome = signal.aborted ? 'stopped' : outcomeOfError(error)
  }
  const base = { ...emptyRecord(check, startMs, 'inconclusive', ''), durationMs: elapsed(), attempts }
  if (outcome === 'stopped') {
    if (host.signal.aborted) return { ...base, reason: `cancelled; was waiting for: ${waitingFor}` }
    const limit = deadline.aborted ? check.timeoutMs : elapsed()
    const reason = `no verdict after ${formatSeconds(limit)}; was waiting for: ${waitingFor}`
    return { ...base, verdict: 'fail', reason, timedOut: true }
  }
  return {
    ...base,
    verdict: outcome.verdict,
    reason: outcome.reason,
    observations: outcome.observations ?? {},
    evidence: outcome.evidence ?? [],
    ...(outcome.lost === true ? { lost: true } : {}),
    ...(outcome.timeToConvergeMs === undefined ? {} : { timeToConvergeMs: Math.round(outcome.timeToConvergeMs) }),
  }
}

/** A deadline missed is a finding; everything else that throws means we could not see. */
function outcomeOfError(error: unknown): Outcome {
  if (error instanceof NotReadyError) return { verdict: 'fail', reason: error.message, evidence: hintOf(error) }
  if (isRefusal(error)) {
    return inconclusive(describeRefusal(error), { evidence: [{ text: error.message, command: printRbac }] })
  }
  const lost = isLost(error)
  if (error instanceof ToolkitError) return inconclusive(error.message, { evidence: hintOf(error), lost })
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return inconclusive(`the check itself broke: ${messageOf(error)}`, { evidence: [{ text: stack }], lost })
}

function hintOf(error: ToolkitError): { text: string }[] {
  return error.hint === undefined ? [] : [{ text: error.hint }]
}

function emptyRecord(check: Check, startMs: number, verdict: CheckRecord['verdict'], reason: string): CheckRecord {
  return {
    id: check.id,
    title: check.title,
    suite: check.suite,
    lane: check.lane,
    needs: check.needs,
    verdict,
    reason,
    startMs: Math.round(startMs),
    durationMs: 0,
    observations: {},
    evidence: [],
    attempts: [],
  }
}

function validate(checks: readonly Check[]): void {
  const known = new Map<string, Check>()
  for (const check of checks) {
    if (known.has(check.id)) throw new Error(`two checks have the id ${check.id}`)
    known.set(check.id, check)
  }
  for (const check of checks) {
    for (const id of check.needs) {
      const need = known.get(id)
      if (need === undefined) throw new Error(`${check.id} needs ${id}, which is not among the checks`)
      if (lanes.indexOf(need.lane) > lanes.indexOf(check.lane)) {
        throw new Error(`${check.id} (${check.lane}) needs ${id}, which runs later (${need.lane})`)
      }
    }
  }
  for (const lane of lanes) inNeedsOrder(checks.filter((check) => check.lane === lane))
}

/** Needs before those who need them, otherwise in the given order. */
function inNeedsOrder(checks: readonly Check[]): Check[] {
  const byId = new Map(checks.map((check) => [check.id, check]))
  const ordered = new Set<Check>()
  const visit = (check: Check, path: readonly string[]): void => {
    if (ordered.has(check)) return
    if (path.includes(check.id)) throw new Error(`checks need each other: ${[...path, check.id].join(' -> ')}`)
    for (const id of check.needs) {
      const need = byId.get(id)
      if (need !== undefined) visit(need, [...path, check.id])
    }
    ordered.add(check)
  }
  for (const check of checks) visit(check, [])
  return [...ordered]
}
