import { beforeAll, describe, it } from 'vitest'
import { type DrillCluster, drillCluster } from '../e2e/cluster-fixture.ts'
import { runKillDrill, runRolloutDrill } from '../support/votes/drill.ts'
import { voteDrills } from '../support/votes/drill-table.ts'

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
})

/** K8S_PLATFORM_VOTES_SEED=<seed of an earlier run> repeats its votes and kills. */
describe('no vote is lost', () => {
  it('in 10,000 votes under kills of everything that holds or moves them', () =>
    runKillDrill(cluster, voteDrills.kills))

  it('while vote and result are rolled out, and no request fails', () => runRolloutDrill(cluster, voteDrills.rollout))
})
