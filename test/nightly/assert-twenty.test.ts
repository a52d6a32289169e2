import { beforeAll, describe, expect, it } from 'vitest'
import { type DrillCluster, drillCluster } from '../e2e/cluster-fixture.ts'
import { recordFault } from '../support/fault-results.ts'
import { expectGreen } from '../support/run-drill.ts'

const runs = 20

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
})

describe('on a healthy cluster', () => {
  it(`${runs} runs in a row are green`, async () => {
    const seconds: number[] = []
    let failure: unknown
    for (let i = 0; i < runs && failure === undefined; i++) {
      const record = await cluster.assert()
      seconds.push(Math.round(record.durationMs / 100) / 10)
      try {
        expectGreen(record)
      } catch (error) {
        failure = error
      }
    }
    recordFault({
      section: 'assertions',
      fault: `nothing, ${runs} times in a row`,
      expected: `${runs} green runs`,
      seen: `${seconds.length - (failure === undefined ? 0 : 1)} green runs; ${Math.min(...seconds)} to ${Math.max(...seconds)} s each`,
      held: failure === undefined,
    })
    if (failure !== undefined) throw failure
    expect(seconds).toHaveLength(runs)
  })
})
