import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { defaultSuites, selectChecks, suiteNames } from '../../../src/assert/suites.ts'
import { drills } from '../../support/drills.ts'
import { type Fault, faults, redInUnitTests } from '../../support/fault-table.ts'
import { foreignFaults } from '../../support/foreign-faults.ts'
import { repository } from '../../support/test-host.ts'
import { fakeKubernetes, suiteEnvironment } from '../assert/fake-kubernetes.ts'

const all = selectChecks(suiteNames, suiteEnvironment(fakeKubernetes([]), { target: 'voting-app' }))
const ids = all.map(({ id }) => id).sort()
const table: readonly Fault[] = Object.values(faults)
const redInDrills = new Set(table.flatMap(({ red }) => Object.keys(red)))

describe('the fault table', () => {
  it('turns each check red, but for those that a unit test does', () => {
    expect([...redInDrills, ...Object.keys(redInUnitTests)].sort()).toEqual(ids)
  })

  // What says so there also expects it: test/unit/assert/expect-red.ts.
  it.each(Object.entries(redInUnitTests))('%s is red in the unit test that is named for it', (id, { shownBy }) => {
    expect(readFileSync(path.join(repository, shownBy), 'utf8')).toContain(`turnsRed: '${id}'`)
  })

  it('skips only what there is, and what needs a check that is not green', () => {
    for (const { red, skipped } of table) {
      for (const id of skipped) {
        expect(ids).toContain(id)
        expect(Object.keys(red)).not.toContain(id)
      }
    }
  })

  it('names only checks that look at any app, where the cluster is foreign', () => {
    const generic = selectChecks(defaultSuites('generic'), suiteEnvironment(fakeKubernetes([]))).map(({ id }) => id)
    for (const { red, skipped } of foreignFaults.map(({ exactly }): Fault => exactly))
      expect(generic).toEqual(expect.arrayContaining([...Object.keys(red), ...skipped]))
  })

  it('has a drill for each fault', () => {
    expect(Object.keys(drills).sort()).toEqual(Object.keys(faults).sort())
  })
})
