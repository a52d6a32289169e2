import { egressCases } from './network-policy/cases-egress.ts'
import { peerCases } from './network-policy/cases-peers.ts'
import { policyCases } from './network-policy/cases-policies.ts'
import { portCases } from './network-policy/cases-ports.ts'
import type { PolicyCase } from './network-policy/expectation.ts'

/** The specification's cases, all of them; the nightly run plays them. */
export const networkPolicyCases: readonly PolicyCase[] = [...policyCases, ...peerCases, ...portCases, ...egressCases]

/** One of each kind, for `npm test`. */
const sampled = [
  'default deny both',
  'both selectors in one peer: those pods of those namespaces',
  'port by name: the number is each pod’s own',
  'ipBlock with except',
  'egress to DNS only',
  'two policies for the same pod add up',
]

export const sampledNetworkPolicyCases: readonly PolicyCase[] = networkPolicyCases.filter(({ name }) =>
  sampled.includes(name),
)
