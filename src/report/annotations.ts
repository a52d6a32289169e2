import type { CheckRecord, RunRecord } from './record.ts'
import { isRed, rootCauses } from './root-causes.ts'

/** What a reader of the pull request sees first. Printed by the runner boundary, which escapes it as workflow commands need. */
export interface Annotation {
  readonly level: 'error' | 'warning'
  readonly title: string
  /** Whole by itself: a job's log shows it without the title. */
  readonly message: string
}

/** GitHub shows ten errors of a step; what is beyond is in the summary. */
const most = 10
const mostIds = 12
/** GitHub cuts at 64 KiB, readers stop long before. */
const longestMessage = 4_000

/**
 * One annotation per root cause: a red check, or several that say the same. Checks that are red or skipped because of it are named in it, not annotated. Verdicts that
 * do not fail the run are warnings.
 */
export function annotationsOf(record: RunRecord): Annotation[] {
  const annotations: Annotation[] = rootCauses(record.checks).map(({ roots, followers }) => {
    const [first] = roots
    const command = roots.flatMap((check) => check.evidence).find((entry) => entry.command !== undefined)?.command
    const sentences = [
      `${ids(roots)}: ${first.reason.replace(/\.+$/, '')}.`,
      ...because('Red', followers.filter(isRed)),
      ...because(
        'Skipped',
        followers.filter((check) => !isRed(check)),
      ),
      ...(command === undefined ? [] : [`Next: ${command}`]),
    ]
    return {
      level: [...roots, ...followers].some((check) => isRed(check) && record.failOn.includes(check.verdict))
        ? 'error'
        : 'warning',
      title: `${ids(roots)} ${first.verdict === 'fail' ? 'failed' : 'inconclusive'}: ${first.title}`,
      message: cut(sentences.join(' ')),
    }
  })
  for (const problem of new Set(record.problems))
    annotations.push({ level: 'error', title: 'Assertions', message: cut(problem) })
  // Those that fail the run come first: they are never the ones left out.
  annotations.sort((a, b) => Number(a.level === 'warning') - Number(b.level === 'warning'))
  if (annotations.length <= most) return annotations
  const left = annotations.slice(most - 1)
  return [
    ...annotations.slice(0, most - 1),
    {
      level: left[0]?.level ?? 'error',
      title: 'Assertions',
      message: `${left.length} more findings are in the job summary and in the report`,
    },
  ]
}

function because(what: string, checks: readonly CheckRecord[]): string[] {
  return checks.length === 0 ? [] : [`${what} because of it: ${ids(checks)}.`]
}

function ids(checks: readonly CheckRecord[]): string {
  const names = checks.slice(0, mostIds).map((check) => check.id)
  const rest = checks.length - names.length
  return `${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

function cut(text: string): string {
  return text.length <= longestMessage ? text : `${text.slice(0, longestMessage)} …`
}
