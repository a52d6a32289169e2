import { creationFaults } from './creation-faults.ts'
import { peerRow } from './cyclonus.ts'
import { type BrokenName, brokenApps } from './deploy/broken-apps.ts'
import { deployRightRow, missingDeployRights } from './deploy/missing-rights.ts'
import { brokenRow } from './deploy/run-broken.ts'
import { assertionRow, type FaultName, faults, greenRow } from './fault-table.ts'
import { foreignFaults, foreignHealthy, foreignRow } from './foreign-faults.ts'
import { drillsOf, lifeCycleRow, loneDrills, loneRow } from './life-cycle-drills.ts'
import { limitedRow, missingRights } from './limited-account.ts'
import { networkPolicyCases } from './network-policy-cases.ts'
import { changeDrills, firstPacketDrills, policyCaseRow, policyDrillRow } from './network-policy-drills.ts'
import type { FaultRow } from './prove-fault.ts'
import { nextRunDrills, postDrills, recordRow } from './record-drills.ts'
import { creationRow, retryRow } from './run-creation-fault.ts'
import { killRow, rolloutRow, voteDrills } from './votes/drill-table.ts'

/** Every row that a nightly run must have, of the tables that its tests read: what is missing did not run. Single tests that run elsewhere too are not in it: their step is red without them. */
export function committedDrills(): FaultRow[] {
  return [
    ...(Object.keys(faults) as FaultName[]).map(assertionRow),
    greenRow,
    ...missingRights().map(limitedRow),
    foreignHealthy,
    ...foreignFaults.map(foreignRow),
    ...creationFaults.map((entry) => creationRow(entry)),
    retryRow,
    ...drillsOf().map(lifeCycleRow),
    ...loneDrills.map(loneRow),
    ...[...postDrills, ...nextRunDrills].map(recordRow),
    killRow(voteDrills.kills),
    rolloutRow(voteDrills.rollout),
    ...networkPolicyCases.map(policyCaseRow),
    ...[...firstPacketDrills, ...changeDrills].map(policyDrillRow),
    peerRow,
    ...(Object.keys(brokenApps) as BrokenName[]).map(brokenRow),
    ...missingDeployRights().map(deployRightRow),
  ]
}
