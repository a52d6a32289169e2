import { sampledNetworkPolicyCases } from '../support/network-policy-cases.ts'
import { firstPacketDrills } from '../support/network-policy-drills.ts'
import { networkPolicyTests } from '../support/network-policy-tests.ts'

networkPolicyTests(sampledNetworkPolicyCases, firstPacketDrills)
