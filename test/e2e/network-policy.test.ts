import { sampledNetworkPolicyCases } from '../support/network-policy-cases.ts'
import { firstPacketDrills, networkPolicyTests } from '../support/network-policy-tests.ts'

networkPolicyTests(sampledNetworkPolicyCases, firstPacketDrills)
