import { afterAll, beforeAll, describe, it } from 'vitest'
import type { RunRecord } from '../../src/report/record.ts'
import type { FaultName } from '../support/fault-table.ts'
import { seenByPrintedAccount } from '../support/printed-account.ts'
import { expectGreen, runDrill } from '../support/run-drill.ts'
import { type DrillCluster, drillCluster } from './cluster-fixture.ts'

/** Of each kind of fault one or two: Service, rollout, DNS, data, node. The nightly tests run the whole table. */
const sample: readonly FaultName[] = [
  'worker at zero',
  'selector of a Service off by one label',
  'wrong targetPort',
  'rollout paused at an old generation',
  'CoreDNS at zero',
  'one CoreDNS pod that drops queries',
  'Postgres read-only',
  'Redis full',
  'node stopped',
]

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

describe('assertion drills', () => {
  it('start from a healthy cluster', () => expectGreen(healthy))

  // Each is in force before it is looked at, so it needs no look as long as a user has to be red.
  it.each(sample)('%s', async (name) => runDrill(cluster, name, healthy, { convergeMs: 10_000 }))

  it('end with a healthy cluster', async () => expectGreen(await cluster.assert()))
})
