import { describe, expect, it } from 'vitest'
import type { CheckRecord, RunRecord, Verdict } from '../../../src/report/record.ts'
import type { Fault } from '../../support/fault-table.ts'
import { findingOf } from '../../support/run-drill.ts'

const check = (id: string, verdict: Verdict, reason = ''): CheckRecord => ({ id, verdict, reason }) as CheckRecord
/** A cluster to which one check does not apply. */
const healthy = {
  checks: [check('A', 'pass'), check('B', 'pass'), check('C', 'pass'), check('N', 'skipped', 'the cluster has no Ns')],
}
const fault: Fault = { red: { A: /^fail: broken/ }, skipped: ['B'] }
const drilled = [
  check('A', 'fail', 'broken by the drill'),
  check('B', 'skipped', 'needs A (fail)'),
  check('C', 'pass'),
  check('N', 'skipped', 'the cluster has no Ns'),
]

function wrong(changes: Readonly<Record<string, CheckRecord | undefined>>, run: Partial<RunRecord> = {}) {
  const checks = drilled.flatMap((one) => (Object.hasOwn(changes, one.id) ? (changes[one.id] ?? []) : one))
  return findingOf(fault, { checks, problems: [], verdict: 'fail', ...run }, healthy).wrong
}

describe('an assertion drill', () => {
  it('holds where exactly what is stated is red and skipped', () => {
    expect(wrong({})).toEqual([])
  })

  it.each([
    ['another check is red', wrong({ C: check('C', 'fail', 'too') }), /^red: A, C instead of A: /],
    ['another check could not see', wrong({ C: check('C', 'inconclusive') }), /^red: A, C instead of A: /],
    ['the red one is green', wrong({ A: check('A', 'pass') }), /^red: {2}instead of A/],
    ['it is red for another reason', wrong({ A: check('A', 'fail', 'x') }), /^A: fail: x instead of /],
    [
      'a check stops looking for a reason of its own',
      wrong({ C: check('C', 'skipped', 'there is nothing to ask') }),
      /^skipped: B \(needs A \(fail\)\), C \(there is nothing to ask\), N \(the cluster has no Ns\) instead of B, N$/,
    ],
    ['what must be skipped is green', wrong({ B: check('B', 'pass') }), /^skipped: N .* instead of B, N$/],
    ['a check is not run at all', wrong({ C: undefined }), /^the checks: A, B, N instead of A, B, C, N$/],
    ['the run is green', wrong({}, { verdict: 'pass' }), /^the run: pass$/],
    ['the run has a problem', wrong({}, { problems: ['out of time'] }), /^problem of the run: "out of time"$/],
  ])('does not hold where %s', (_what, lines, problem) => {
    expect(lines[0]).toMatch(problem)
  })

  it('turns a check red that does not apply to the healthy cluster', () => {
    const finding = findingOf(
      { red: { N: /^fail: broken/ }, skipped: [] },
      {
        checks: [...healthy.checks.slice(0, 3), check('N', 'fail', 'broken')],
        problems: [],
        verdict: 'fail',
      },
      healthy,
    )
    expect(finding.wrong).toEqual([])
  })
})
