import { agentRestartedUnderTraffic, establishedFlowKept, ownNodeProbePasses } from './network-policy/agent.ts'
import type { PolicyCase } from './network-policy/expectation.ts'
import { type DrillResult, newClientObeys, newServerObeys } from './network-policy/first-packet.ts'
import { namespaceLabelFollowed, podLabelFollowed, policyFollowed } from './network-policy/follow.ts'
import type { PolicyLab } from './network-policy/lab.ts'
import type { FaultRow } from './prove-fault.ts'

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
    expected: 'followed, both ways, by every dial from 1 s after the API’s answer on at the latest',
    run: podLabelFollowed,
  },
  {
    name: 'label of a namespace set and removed',
    expected: 'followed, both ways, by every dial from 1 s after the API’s answer on at the latest',
    run: namespaceLabelFollowed,
  },
  {
    name: 'policy created and deleted',
    expected: 'denied, then allowed again, by every dial from 1 s after the API’s answer on at the latest',
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

export function policyCaseRow({ name, expected }: PolicyCase): FaultRow {
  const told = expected.length === 0 ? 'everything is reached' : expected.join('; ')
  return { section: 'network policy', fault: name, expected: told }
}

export function policyDrillRow({ name, expected }: PolicyDrill): FaultRow {
  return { section: 'network policy', fault: name, expected }
}
