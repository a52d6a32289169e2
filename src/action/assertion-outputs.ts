import type { Logger } from '../process/log.ts'
import { annotationsOf } from '../report/annotations.ts'
import { type RunRecord, renderTotals, totalsOf } from '../report/record.ts'
import { renderSummary } from '../report/summary.ts'
import { renderTableText } from '../report/table.ts'
import { reportFiles } from '../report/write.ts'
import type { Summary } from './run.ts'

type AssertionOutput = 'verdict' | 'passed' | 'failed' | 'inconclusive' | 'skipped' | 'report'

export interface AssertionContext {
  readonly outputs: { set(name: AssertionOutput, value: string | number): void }
  readonly summary: Summary
  readonly host: { readonly log: Logger }
  /** Fails the step; the annotations have said why. */
  readonly fail: () => void
}

/** Table, annotations, summary, outputs and the step's result: all views of the one record. */
export function reportAssertions(context: AssertionContext, record: RunRecord, reportDir: string): void {
  const { outputs, summary, host, fail } = context
  const totals = totalsOf(record.checks)
  host.log.info(renderTableText(record))
  const annotations = annotationsOf(record)
  for (const { level, title, message } of annotations) host.log[level](message, { title })
  summary.addSection(renderSummary(record))
  outputs.set('verdict', record.verdict)
  outputs.set('passed', totals.pass)
  outputs.set('failed', totals.fail)
  outputs.set('inconclusive', totals.inconclusive)
  outputs.set('skipped', totals.skipped)
  outputs.set('report', reportFiles(reportDir).json)
  const verdict = `verdict ${record.verdict}: ${renderTotals(totals)}`
  if (record.verdict === 'pass') {
    host.log.info(verdict)
    return
  }
  if (!annotations.some((annotation) => annotation.level === 'error')) host.log.error(verdict, { title: 'Assertions' })
  fail()
}
