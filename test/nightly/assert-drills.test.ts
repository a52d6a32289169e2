import { beforeAll, describe, it } from 'vitest'
import { type DrillCluster, drillCluster } from '../e2e/cluster-fixture.ts'
import { type FaultName, faults } from '../support/fault-table.ts'
import { expectGreen, runDrill } from '../support/run-drill.ts'

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
})

/** Every fault of the table, with the deadlines that users have. */
describe('assertion drills', () => {
  it('start from a healthy cluster', async () => expectGreen(await cluster.assert()))

  it.each(Object.keys(faults) as FaultName[])('%s', async (name) => runDrill(cluster, name))

  it('end with a healthy cluster', async () => expectGreen(await cluster.assert()))
})
