import { beforeAll, describe, it } from 'vitest'
import { type DrillCluster, drillCluster } from '../e2e/cluster-fixture.ts'
import { runKillDrill, runRolloutDrill } from '../support/votes/drill.ts'
import { killed } from '../support/votes/kills.ts'

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
})

/** K8S_PLATFORM_VOTES_SEED=<seed of an earlier run> repeats its votes and kills. */
describe('no vote is lost', () => {
  it('in 10,000 votes under kills of everything that holds or moves them', () =>
    runKillDrill(cluster, { votes: 10_000, perSecond: 50, kills: killed, times: 2 }))

  it('while vote and result are rolled out, and no request fails', () => runRolloutDrill(cluster, 40))
})
