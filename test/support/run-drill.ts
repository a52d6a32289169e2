import { expect } from 'vitest'
import type { RunSuitesOptions } from '../../src/assert/run-suites.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { type DrillCluster, redOf, skippedIn } from '../e2e/cluster-fixture.ts'
import { drills } from './drills.ts'
import { assertionRow, type Fault, type FaultName, faults } from './fault-table.ts'
import { type Finding, mended, proveFault } from './prove-fault.ts'

/** Breaks, looks, mends; mends also when the look fails. `healthy` is what the same cluster showed before. */
export function runDrill(
  cluster: DrillCluster,
  name: FaultName,
  healthy: RunRecord,
  options: Pick<RunSuitesOptions, 'convergeMs'> = {},
): Promise<void> {
  const row = assertionRow(name)
  return mended(row, (mend) =>
    proveFault(row, async () => {
      await drills[name](cluster, mend)
      return findingOf(faults[name], await cluster.assert(options), healthy)
    }),
  )
}

type Seen = Pick<RunRecord, 'checks' | 'problems' | 'verdict'>

/**
 * Exactly the red set, each for its reason; exactly the skipped ones, with those that do not apply to this cluster, broken or not; every other check green; and a run that says so.
 */
export function findingOf(fault: Fault, record: Seen, healthy: Pick<RunRecord, 'checks'>): Finding {
  const red = redOf(record)
  const ids = Object.keys(red).sort()
  const expected = Object.keys(fault.red).sort()
  const skipped = skippedIn(record)
  const notLooking = [...new Set([...fault.skipped, ...skippedIn(healthy)])]
    .filter((id) => !expected.includes(id))
    .sort()
  const all = idsOf(record)
  const known = idsOf(healthy)
  const reasons = Object.fromEntries(record.checks.map(({ id, reason }) => [id, reason]))
  const wrong = [
    ...(ids.join() === expected.join()
      ? []
      : [`red: ${ids.join(', ')} instead of ${expected.join(', ')}: ${JSON.stringify(red, null, 2)}`]),
    ...Object.entries(fault.red).flatMap(([id, reason]) =>
      red[id] === undefined || reason.test(red[id]) ? [] : [`${id}: ${red[id]} instead of ${reason}`],
    ),
    ...(skipped.join() === notLooking.join()
      ? []
      : [`skipped: ${skipped.map((id) => `${id} (${reasons[id]})`).join(', ')} instead of ${notLooking.join(', ')}`]),
    ...(all.join() === known.join() ? [] : [`the checks: ${all.join(', ')} instead of ${known.join(', ')}`]),
    ...(record.verdict === 'fail' ? [] : [`the run: ${record.verdict}`]),
    ...record.problems.map((problem) => `problem of the run: ${JSON.stringify(problem)}`),
  ]
  return { seen: ids.length === 0 ? 'nothing red' : `red: ${ids.join(', ')}; ${red[ids[0] ?? '']}`, wrong }
}

function idsOf({ checks }: Pick<RunRecord, 'checks'>): string[] {
  return checks.map(({ id }) => id).sort()
}

export function expectGreen(record: RunRecord): void {
  expect(redOf(record)).toEqual({})
  expect(record.problems).toEqual([])
  expect(record.verdict).toBe('pass')
  expect(record.checks.filter((check) => check.verdict === 'pass').length).toBeGreaterThan(15)
}
