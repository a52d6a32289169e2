import path from 'node:path'
import { type RunRecord, renderTotals, totalsOf } from '../report/record.ts'

type AssertionOutput = 'verdict' | 'passed' | 'failed' | 'inconclusive' | 'skipped' | 'report'

/** Outputs and the step's result from the record of an assertion run. */
export function reportAssertions(
  context: {
    readonly outputs: { set(name: AssertionOutput, value: string | number): void }
    readonly fail: (message: string) => void
  },
  record: RunRecord,
  reportDir: string,
): void {
  const totals = totalsOf(record.checks)
  context.outputs.set('verdict', record.verdict)
  context.outputs.set('passed', totals.pass)
  context.outputs.set('failed', totals.fail)
  context.outputs.set('inconclusive', totals.inconclusive)
  context.outputs.set('skipped', totals.skipped)
  context.outputs.set('report', path.join(reportDir, 'report.json'))
  if (record.verdict !== 'pass') context.fail(`the verdict is red: ${renderTotals(totals)}`)
}
