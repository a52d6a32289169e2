import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { reliabilityPage } from '../../../scripts/render-reliability.ts'
import { brokenApps } from '../../support/deploy/broken-apps.ts'
import { missingDeployRights } from '../../support/deploy/missing-rights.ts'
import { faults } from '../../support/fault-table.ts'
import { foreignFaults } from '../../support/foreign-faults.ts'
import { missingRights } from '../../support/limited-account.ts'
import { networkPolicyCases } from '../../support/network-policy-cases.ts'
import { repository } from '../../support/test-host.ts'

const row = {
  section: 'votes',
  fault: 'Redis killed',
  expected: 'no vote lost',
  seen: '0 lost',
  held: true,
  run: 'first',
  date: '2026-11-21',
  commit: 'abc',
} as const

it('counts what held, in the order of the sections', () => {
  const page = reliabilityPage([row, { ...row, section: 'assertions', fault: 'CoreDNS at zero', held: false }])
  expect(page).toContain('1 of 2 drills held. What')
  expect(page).toContain('| CoreDNS at zero | no vote lost | 0 lost | **no** |')
  expect(page.indexOf('## Assertions')).toBeLessThan(page.indexOf('## Votes'))
})

it.each([
  ['before', [{ ...row, held: false, seen: '3 lost' }, row]],
  ['after', [row, { ...row, held: false, seen: '3 lost' }]],
])('a drill that failed once has not held, whether %s it held', (_when, tries) => {
  const page = reliabilityPage(tries)
  expect(page).toContain('0 of 1 drills held')
  expect(page).toContain('| 3 lost; held in 1 of 2 tries | **no** |')
})

it('tells each way in which a drill failed', () => {
  const failed = ['3 lost', 'not mended: no Redis', '3 lost'].map((seen) => ({ ...row, seen, held: false }))
  expect(reliabilityPage(failed)).toContain('| 3 lost; not mended: no Redis | **no** |')
})

it('a part that ran again counts as it was last, and tells what it showed before', () => {
  const red = { ...row, held: false, seen: '3 lost', commit: 'abc' }
  const page = reliabilityPage([red, { ...row, fault: 'Postgres killed' }, { ...row, run: 'second', commit: 'def' }])
  expect(page).toContain('2 of 2 drills held')
  expect(page).toContain('| Redis killed | no vote lost | 0 lost; red before, at abc: 3 lost | yes |')
  const worse = reliabilityPage([row, { ...red, run: 'second' }])
  expect(worse).toContain('| Redis killed | no vote lost | 3 lost | **no** |')
})

it('tells what ran, the last time that it did', () => {
  const step = { name: 'e2e', passed: 3, failed: 1, skipped: 0, seconds: 61.2, date: '2026-11-21', commit: 'abc' }
  const again = { ...step, passed: 4, failed: 0, commit: 'def' }
  const page = reliabilityPage([row], [step, { ...step, name: 'nightly' }, again])
  expect(page).toContain('| e2e | def | 2026-11-21 | 4 | 0 | 0 | 61 |\n| nightly | abc | 2026-11-21 | 3 | 1 | 0 | 61 |')
})

it('has a row for each drill that is due and did not run', () => {
  const due = [row, { ...row, fault: 'Postgres killed' }, { ...row, section: 'input', fault: 'a shell' }] as const
  const page = reliabilityPage([row], [], due)
  expect(page).toContain('1 of 3 drills held. 2 did not run.')
  expect(page).toContain(
    '| Redis killed | no vote lost | 0 lost | yes |\n| Postgres killed | no vote lost | nothing | **did not run** |',
  )
  expect(page).toContain('## Input')
})

it('every committed drill has a row of its own, which needs no test runner', async () => {
  const file = path.join(repository, 'test/support/committed-drills.ts')
  const program = `const { committedDrills } = await import(${JSON.stringify(file)}); console.log(JSON.stringify(committedDrills()))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
  const rows = JSON.parse(stdout) as { section: string; fault: string; expected: string }[]
  expect(new Set(rows.map(({ section, fault }) => `${section}: ${fault}`)).size).toBe(rows.length)
  expect(rows.every(({ fault, expected }) => fault !== '' && expected !== '')).toBe(true)
  const count = (section: string): number => rows.filter((one) => one.section === section).length
  expect(count('deployments')).toBe(Object.keys(brokenApps).length + missingDeployRights().length)
  // A healthy cluster is a row too, and so is a foreign one.
  const healthy = 2
  expect(count('assertions')).toBe(Object.keys(faults).length + foreignFaults.length + healthy + missingRights().length)
  expect(count('network policy')).toBeGreaterThan(networkPolicyCases.length)
})

it('keeps text of a cluster inside of its cell', () => {
  const page = reliabilityPage([{ ...row, seen: 'a | b\n## c <script> [x](y)' }])
  expect(page).toContain('| a \\| b \\#\\# c \\<script\\> \\[x\\](y) | yes |')
})
