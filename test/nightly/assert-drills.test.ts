import { afterAll, beforeAll, describe, it } from 'vitest'
import type { RunRecord } from '../../src/report/record.ts'
import { type DrillCluster, drillCluster } from '../e2e/cluster-fixture.ts'
import { type FaultName, faults } from '../support/fault-table.ts'
import { seenByPrintedAccount } from '../support/printed-account.ts'
import { expectGreen, runDrill } from '../support/run-drill.ts'

let cluster: DrillCluster
let healthy: RunRecord
let removeAccount = async (): Promise<void> => {}

beforeAll(async () => {
  const account = await seenByPrintedAccount(await drillCluster(), 'drill-probes')
  removeAccount = () => account.remove()
  cluster = account.cluster
  healthy = await cluster.assert()
})
afterAll(() => removeAccount())

/** Every fault of the table, with the deadlines that users have. */
describe('assertion drills', () => {
  it('start from a healthy cluster', () => expectGreen(healthy))

  it.each(Object.keys(faults) as FaultName[])('%s', async (name) => runDrill(cluster, name, healthy))

  it('end with a healthy cluster', async () => expectGreen(await cluster.assert()))
})
