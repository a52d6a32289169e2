import { networkPolicyCases } from '../support/network-policy-cases.ts'
import { changeDrills, firstPacketDrills } from '../support/network-policy-drills.ts'
import { networkPolicyTests } from '../support/network-policy-tests.ts'

networkPolicyTests(networkPolicyCases, [...firstPacketDrills, ...changeDrills])
