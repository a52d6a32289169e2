import type { CheckRecord, RunRecord, Verdict } from '../report/record.ts'

export interface JudgeOptions {
  /** Suites asked for by name. */
  readonly requested: readonly string[]
  readonly failOn: readonly Verdict[]
  readonly allowSkip: readonly string[]
  readonly cancelled: boolean
}

/**
 * The verdict of a run out of its checks. Some things fail a run whatever `failOn` says: nothing ran, time ran out, a suite asked for by name was skipped
 * whole, the run was cancelled.
 */
export function judgeRun(
  checks: readonly CheckRecord[],
  options: JudgeOptions,
): Pick<RunRecord, 'verdict' | 'problems'> {
  const problems: string[] = []
  if (options.cancelled) problems.push('the run was cancelled')
  if (checks.every((check) => check.verdict === 'skipped')) {
    problems.push(checks.length === 0 ? 'no check was selected' : 'no check ran: all were skipped')
  }
  const late = checks.filter((check) => check.timedOut === true)
  if (late.length > 0) problems.push(`out of time: ${late.map((check) => check.id).join(', ')}`)
  for (const suite of new Set(options.requested)) {
    const own = checks.filter((check) => check.suite === suite)
    if (options.allowSkip.includes(suite) || own.some((check) => check.verdict !== 'skipped')) continue
    const why = own[0] === undefined ? 'it has no checks' : own[0].reason
    problems.push(`suite ${suite} was asked for and skipped: ${why}`)
  }
  const red = checks.some((check) => options.failOn.includes(check.verdict))
  return { verdict: red || problems.length > 0 ? 'fail' : 'pass', problems }
}
