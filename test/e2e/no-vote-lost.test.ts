import { beforeAll, describe, it } from 'vitest'
import { runKillDrill, runRolloutDrill } from '../support/votes/drill.ts'
import { type DrillCluster, drillCluster } from './cluster-fixture.ts'

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
})

/** A sample of test/nightly/no-vote-lost.test.ts. */
describe('no vote is lost', () => {
  it('when Redis, the worker and the result are killed', () =>
    runKillDrill(cluster, { votes: 900, perSecond: 60, kills: ['Redis', 'worker', 'result'], times: 1 }))

  it('while vote and result are rolled out, and no request fails', () => runRolloutDrill(cluster, 20))
})
