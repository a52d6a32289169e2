import { expect } from 'vitest'
import type { RunSuitesOptions } from '../../src/assert/run-suites.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { type DrillCluster, redOf, skippedFor } from '../e2e/cluster-fixture.ts'
import { drills } from './drills.ts'
import { assertionRow, type Fault, type FaultName, faults } from './fault-table.ts'
import { type Finding, mended, proveFault } from './prove-fault.ts'

/** Breaks, looks, mends; mends also when the look fails. */
export function runDrill(
  cluster: DrillCluster,
  name: FaultName,
  options: Pick<RunSuitesOptions, 'convergeMs'> = {},
): Promise<void> {
  const row = assertionRow(name)
  return mended(row, (mend) =>
    proveFault(row, async () => {
      await drills[name](cluster, mend)
      return findingOf(faults[name], await cluster.assert(options))
    }),
  )
}

/** Exactly the red set, each for its reason, exactly the skipped ones, and a run that says so. */
export function findingOf(fault: Fault, record: RunRecord): Finding {
  const { either = {} } = fault
  const seen = redOf(record)
  const byChance = Object.entries(seen).filter(([id, reason]) => either[id]?.test(reason))
  const red = Object.fromEntries(Object.entries(seen).filter(([id]) => !byChance.some(([other]) => other === id)))
  const skipped = skippedFor(record).filter((id) => byChance.length === 0 || !Object.hasOwn(either, id))
  const ids = Object.keys(red).sort()
  const expected = Object.keys(fault.red).sort()
  const wrong = [
    ...(ids.join() === expected.join()
      ? []
      : [`red: ${ids.join(', ')} instead of ${expected.join(', ')}: ${JSON.stringify(red, null, 2)}`]),
    ...Object.entries(fault.red).flatMap(([id, reason]) =>
      red[id] === undefined || reason.test(red[id]) ? [] : [`${id}: ${red[id]} instead of ${reason}`],
    ),
    ...(skipped.join() === fault.skipped.join()
      ? []
      : [`skipped: ${skipped.join(', ')} instead of ${fault.skipped.join(', ')}`]),
    ...(record.verdict === 'fail' ? [] : [`the run: ${record.verdict}`]),
    ...record.problems.map((problem) => `problem of the run: ${JSON.stringify(problem)}`),
  ]
  return { seen: ids.length === 0 ? 'nothing red' : `red: ${ids.join(', ')}; ${red[ids[0] ?? '']}`, wrong }
}

export function expectGreen(record: RunRecord): void {
  expect(redOf(record)).toEqual({})
  expect(record.problems).toEqual([])
  expect(record.verdict).toBe('pass')
  expect(record.checks.filter((check) => check.verdict === 'pass').length).toBeGreaterThan(15)
}
