import { expect } from 'vitest'
import type { CheckRecord } from '../../../src/report/record.ts'

/** What a planted defect must do. test/unit/support/fault-table.test.ts looks for `turnsRed: '<id>'` in the test that is named for the check, so write it out. */
export interface PlantedRed {
  readonly turnsRed: string
  /** A part of the reason, or what it matches. */
  readonly reason: string | RegExp
}

/** That very check failed, for that reason. */
export function expectRed(record: CheckRecord | undefined, { turnsRed, reason }: PlantedRed): void {
  expect(record).toMatchObject({
    id: turnsRed,
    verdict: 'fail',
    reason: typeof reason === 'string' ? expect.stringContaining(reason) : expect.stringMatching(reason),
  })
}
