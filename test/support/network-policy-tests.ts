import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { messageOf } from '../../src/process/errors.ts'
import { drillCluster } from '../e2e/cluster-fixture.ts'
import { recordFault } from './fault-results.ts'
import { agentRestartedUnderTraffic, establishedFlowKept, ownNodeProbePasses } from './network-policy/agent.ts'
import type { PolicyCase } from './network-policy/expectation.ts'
import { type DrillResult, newClientObeys, newServerObeys } from './network-policy/first-packet.ts'
import { namespaceLabelFollowed, podLabelFollowed, policyFollowed } from './network-policy/follow.ts'
import { type PolicyLab, startPolicyLab } from './network-policy/lab.ts'
import { playCase, positiveControl } from './network-policy/play.ts'

export interface PolicyDrill {
  readonly name: string
  /** Stated before the run. */
  readonly expected: string
  readonly run: (lab: PolicyLab) => Promise<DrillResult>
}

/** A new pod is the moment when an agent that only follows the API is late. */
export const firstPacketDrills: readonly PolicyDrill[] = [
  {
    name: 'a new server, dialled before the API tells its address, without a policy',
    expected: 'it is reached (the control of the next drill)',
    run: (lab) => newServerObeys(lab, false),
  },
  {
    name: 'a new server under default deny, dialled before the API tells its address',
    expected: 'no dial is ever answered',
    run: (lab) => newServerObeys(lab, true),
  },
  {
    name: 'a new pod whose first act is to dial, under an egress policy',
    expected: 'what is denied is never answered, from the first packet on; what is allowed is',
    run: newClientObeys,
  },
]

/** What must hold while things change. */
export const changeDrills: readonly PolicyDrill[] = [
  {
    name: 'a pod under default deny, probed by its own node',
    expected: 'the pod gets Ready',
    run: ownNodeProbePasses,
  },
  {
    name: 'label of a pod set and removed',
    expected: 'followed, both ways, by every dial from 5 s after the API’s answer on at the latest',
    run: podLabelFollowed,
  },
  {
    name: 'label of a namespace set and removed',
    expected: 'followed, both ways, by every dial from 5 s after the API’s answer on at the latest',
    run: namespaceLabelFollowed,
  },
  {
    name: 'policy created and deleted',
    expected: 'denied, then allowed again, by every dial from 5 s after the API’s answer on at the latest',
    run: policyFollowed,
  },
  {
    name: 'policy against a connection that is open',
    expected: 'new connections are dropped, the open one is kept, and the agent counts it',
    run: establishedFlowKept,
  },
  {
    name: 'agents of both nodes deleted under traffic',
    expected: 'no denied dial gets through, no allowed one fails, the open connection stays',
    run: agentRestartedUnderTraffic,
  },
]

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

async function provePolicyCase(lab: PolicyLab, policyCase: PolicyCase): Promise<void> {
  const { settledMs, wrong } = await playCase(lab, policyCase)
  const held = wrong.length === 0
  recordFault({
    section: 'network policy',
    fault: policyCase.name,
    expected: policyCase.expected.length === 0 ? 'everything is reached' : policyCase.expected.join('; '),
    seen: held ? `so, in a look begun ${Math.round(settledMs)} ms after` : wrong.slice(0, 5).join('; '),
    held,
  })
  expect(wrong).toEqual([])
}

async function proveDrill(lab: PolicyLab, { name, expected, run }: PolicyDrill): Promise<void> {
  // What cannot even be tried is a row of the table too.
  const { held, seen } = await run(lab).catch((error: unknown) => ({ held: false, seen: messageOf(error) }))
  recordFault({ section: 'network policy', fault: name, expected, seen, held })
  expect(held, seen).toBe(true)
}
