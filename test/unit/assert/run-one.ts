import type { Check } from '../../../src/assert/check.ts'
import { runChecks } from '../../../src/assert/engine.ts'
import type { CheckRecord } from '../../../src/report/record.ts'
import { testHost } from '../../support/test-host.ts'

/** One check by itself, whatever it needs. */
export async function one(checks: readonly Check[], id: string): Promise<CheckRecord> {
  const check = checks.find((candidate) => candidate.id === id)
  if (check === undefined) throw new Error(`no check ${id}`)
  const [record] = await runChecks(testHost(), [{ ...check, needs: [] }], { timeoutMs: 60_000 })
  if (record === undefined) throw new Error('no record')
  return record
}
