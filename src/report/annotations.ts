import type { RunRecord } from './record.ts'

/** What a reader of the pull request sees first. Printed by the runner boundary, which escapes it as workflow commands need. */
export interface Annotation {
  readonly level: 'error' | 'warning'
  readonly title: string
  readonly message: string
}

/** GitHub shows ten errors of a step; what is beyond is in the summary. */
const most = 10

/**
 * One annotation per root cause: a red check. Checks skipped because of it are named in it, not annotated. Verdicts that do not fail the run are warnings.
 */
export function annotationsOf(record: RunRecord): Annotation[] {
  const red = record.checks.filter((check) => check.verdict === 'fail' || check.verdict === 'inconclusive')
  const annotations: Annotation[] = red.map((check) => {
    const followers = record.checks.filter((other) => other.verdict === 'skipped' && other.needs.includes(check.id))
    const skipped =
      followers.length === 0 ? '' : ` Skipped because of it: ${followers.map((other) => other.id).join(', ')}.`
    const command = check.evidence.find((entry) => entry.command !== undefined)?.command
    const next = command === undefined ? '' : ` Next: ${command}`
    return {
      level: record.failOn.includes(check.verdict) ? 'error' : 'warning',
      title: `${check.id} ${check.verdict === 'fail' ? 'failed' : 'inconclusive'}: ${check.title}`,
      message: `${check.reason}.${skipped}${next}`.replace('..', '.'),
    }
  })
  for (const problem of record.problems) annotations.push({ level: 'error', title: 'Assertions', message: problem })
  if (annotations.length <= most) return annotations
  const rest = annotations.length - (most - 1)
  return [
    ...annotations.slice(0, most - 1),
    { level: 'error', title: 'Assertions', message: `${rest} more findings are in the job summary and in the report` },
  ]
}
