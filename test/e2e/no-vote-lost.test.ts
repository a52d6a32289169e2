import { beforeAll, describe, it } from 'vitest'
import { runKillDrill, runRolloutDrill } from '../support/votes/drill.ts'
import { sampledVoteDrills } from '../support/votes/drill-table.ts'
import { type DrillCluster, drillCluster } from './cluster-fixture.ts'

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
})

/** A sample of test/nightly/no-vote-lost.test.ts. */
describe('no vote is lost', () => {
  it('when Redis, the worker and the result are killed', () => runKillDrill(cluster, sampledVoteDrills.kills))

  it('while vote and result are rolled out, and no request fails', () =>
    runRolloutDrill(cluster, sampledVoteDrills.rollout))
})
