import { type CheckRecord, type RunRecord, renderTotals, totalsOf, type Verdict } from '../report/record.ts'

export interface JudgeOptions {
  /** Suites asked for by name. */
  readonly requested: readonly string[]
  readonly failOn: readonly Verdict[]
  readonly allowSkip: readonly string[]
  readonly cancelled: boolean
}

/** The verdicts that fail a run: what was given, and `fail` whatever was given. */
export function failOnOf(given: readonly Verdict[] = ['inconclusive']): readonly Verdict[] {
  return [...new Set<Verdict>(['fail', ...given])]
}

/**
 * The verdict of a run out of its checks. `failOn` tolerates what could not be seen, such as by an account that lacks a right. Some things fail a run whatever it says: a check
 * failed, nothing passed, a stream was lost, time ran out, a suite asked for by name was skipped whole, the run was cancelled.
 */
export function judgeRun(
  checks: readonly CheckRecord[],
  options: JudgeOptions,
): Pick<RunRecord, 'verdict' | 'problems'> {
  const failOn = failOnOf(options.failOn)
  const isRed = ({ verdict }: CheckRecord): boolean => failOn.includes(verdict)
  const problems: string[] = []
  if (options.cancelled) problems.push('the run was cancelled')
  if (checks.every((check) => check.verdict === 'skipped')) {
    problems.push(checks.length === 0 ? 'no check was selected' : 'no check ran: all were skipped')
  } else if (!checks.some((check) => check.verdict === 'pass' || isRed(check))) {
    const seen = renderTotals(totalsOf(checks))
    problems.push(
      `nothing passed, so nothing is proven (${seen}): mend what the reasons name, or ask for a suite that can look here`,
    )
  }
  const late = checks.filter((check) => check.timedOut === true)
  if (late.length > 0) problems.push(`out of time: ${idsOf(late)}`)
  // Those that are red say it themselves.
  const lost = checks.filter((check) => check.lost === true && !isRed(check))
  if (lost.length > 0) {
    problems.push(
      `lost the way to look, which fail-on does not tolerate: ${idsOf(lost)}; see their reasons, then run again`,
    )
  }
  for (const suite of new Set(options.requested)) {
    const own = checks.filter((check) => check.suite === suite)
    if (options.allowSkip.includes(suite) || own.some((check) => check.verdict !== 'skipped')) continue
    const why = own[0] === undefined ? 'it has no checks' : own[0].reason
    problems.push(`suite ${suite} was asked for and skipped: ${why}`)
  }
  return { verdict: checks.some(isRed) || problems.length > 0 ? 'fail' : 'pass', problems }
}

function idsOf(checks: readonly CheckRecord[]): string {
  return checks.map((check) => check.id).join(', ')
}
