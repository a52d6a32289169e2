import { expect } from 'vitest'
import type { RunSuitesOptions } from '../../src/assert/run-suites.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { type DrillCluster, redOf, skippedFor } from '../e2e/cluster-fixture.ts'
import { drills } from './drills.ts'
import { recordFault } from './fault-results.ts'
import { describeFault, type Fault, type FaultName, faults } from './fault-table.ts'

/** Breaks, looks, mends; mends also when the look fails. The row of docs/reliability.md is written before anything is expected. */
export async function runDrill(
  cluster: DrillCluster,
  name: FaultName,
  options: Pick<RunSuitesOptions, 'convergeMs'> = {},
): Promise<void> {
  const steps: (() => Promise<unknown>)[] = []
  try {
    await drills[name](cluster, (step) => steps.push(step))
    expectFault(name, faults[name], await cluster.assert(options))
  } finally {
    for (const step of steps.reverse()) await step()
  }
}

function expectFault(name: FaultName, fault: Fault, record: RunRecord): void {
  const red = redOf(record)
  const skipped = skippedFor(record)
  const ids = Object.keys(red).sort()
  const held =
    ids.join() === Object.keys(fault.red).sort().join() &&
    skipped.join() === fault.skipped.join() &&
    Object.entries(fault.red).every(([id, reason]) => reason.test(red[id] ?? ''))
  recordFault({
    section: 'assertions',
    fault: name,
    expected: describeFault(fault),
    seen: ids.length === 0 ? 'nothing red' : `red: ${ids.join(', ')}; ${red[ids[0] ?? '']}`,
    held,
  })
  expect(ids, JSON.stringify(red, null, 2)).toEqual(Object.keys(fault.red).sort())
  for (const [id, reason] of Object.entries(fault.red)) expect(red[id]).toMatch(reason)
  expect(skipped).toEqual(fault.skipped)
  expect(record.verdict).toBe('fail')
  expect(record.problems).toEqual([])
}

export function expectGreen(record: RunRecord): void {
  expect(redOf(record)).toEqual({})
  expect(record.problems).toEqual([])
  expect(record.verdict).toBe('pass')
  expect(record.checks.filter((check) => check.verdict === 'pass').length).toBeGreaterThan(15)
}
