import { networkPolicyCases } from '../support/network-policy-cases.ts'
import { changeDrills, firstPacketDrills, networkPolicyTests } from '../support/network-policy-tests.ts'

networkPolicyTests(networkPolicyCases, [...firstPacketDrills, ...changeDrills])
