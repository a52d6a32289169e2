import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drillCluster } from '../e2e/cluster-fixture.ts'
import type { PolicyCase } from './network-policy/expectation.ts'
import { type PolicyLab, startPolicyLab } from './network-policy/lab.ts'
import { playCase, positiveControl } from './network-policy/play.ts'
import { type PolicyDrill, policyCaseRow, policyDrillRow } from './network-policy-drills.ts'
import { proveFault } from './prove-fault.ts'

/** The cases and drills as tests on one fixture, with positive controls before and after. */
export function networkPolicyTests(cases: readonly PolicyCase[], drills: readonly PolicyDrill[]): void {
  let lab: PolicyLab
  beforeAll(async () => {
    const { host, kubernetes } = await drillCluster()
    lab = await startPolicyLab(host, kubernetes)
  })
  afterAll(() => lab?.remove())

  describe('NetworkPolicy', () => {
    it('reaches everything before', async () => expect((await positiveControl(lab)).wrong).toEqual([]))

    // Not `it.each`: it cuts long names.
    for (const policyCase of cases) it(policyCase.name, () => provePolicyCase(lab, policyCase))
    for (const drill of drills) it(drill.name, () => proveDrill(lab, drill))

    it('reaches everything after', async () => expect((await positiveControl(lab)).wrong).toEqual([]))
  })
}

function provePolicyCase(lab: PolicyLab, policyCase: PolicyCase): Promise<void> {
  return proveFault(policyCaseRow(policyCase), async () => {
    const { settledMs, wrong } = await playCase(lab, policyCase)
    const held = `so, in a look begun ${Math.round(settledMs)} ms after`
    return { seen: wrong.length === 0 ? held : wrong.slice(0, 5).join('; '), wrong }
  })
}

function proveDrill(lab: PolicyLab, drill: PolicyDrill): Promise<void> {
  return proveFault(policyDrillRow(drill), async () => {
    const { held, seen } = await drill.run(lab)
    return { seen, wrong: held ? [] : [seen] }
  })
}
