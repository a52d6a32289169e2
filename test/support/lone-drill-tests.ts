import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { type LifeCycleHost, leftOf, lifeCycleHost, surroundings } from './life-cycle.ts'
import { type Drill, drillName, loneRow, runDrill, runsToTheEnd } from './life-cycle-drills.ts'
import { makeLoneHost, plantedLeftovers } from './lone-host.ts'
import { proveFault } from './prove-fault.ts'
import { endJobs } from './runner.ts'

/** Runs drills on a host that has no other cluster; the shared one is taken down for it, so this comes after all that uses it (test/e2e/sequencer.ts). */
export function loneDrillTests(drills: readonly Drill[]): void {
  let host: LifeCycleHost
  let restoreLimits = (): void => {}

  beforeAll(async () => {
    restoreLimits = await makeLoneHost(inject('shared'))
  })
  afterAll(() => restoreLimits())
  beforeEach(() => {
    host = lifeCycleHost('kp-lone')
  })
  afterEach(async () => {
    await endJobs()
    host.remove()
  })

  it.each(plantedLeftovers.map((planted) => [planted.what, planted] as const))(
    'what is left is told, so a drill can fail: %s',
    async (_what, { plant, told }) => {
      const before = await surroundings({ alone: true })
      expect(await leftOf(host, before)).toEqual([])
      const remove = await plant()
      const left = await leftOf(host, before).finally(remove)
      expect(left).toEqual(expect.arrayContaining([expect.stringMatching(told)]))
      expect(await leftOf(host, before)).toEqual([])
    },
  )

  describe('struck while it makes or removes what clusters share', () => {
    it.each(drills.map((drill) => [drillName(drill), drill] as const))('%s', async (_name, drill) => {
      await proveFault(loneRow(drill), async () => {
        const wrong = await runDrill(host, drill, { alone: true, ...(runsToTheEnd(drill) ? { full: true } : {}) })
        return { seen: wrong.length === 0 ? 'so it was' : wrong.join('; ').slice(0, 400), wrong }
      })
    })
  })
}
