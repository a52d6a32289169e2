import { beforeAll, describe, it } from 'vitest'
import { messageOf } from '../../src/process/errors.ts'
import { type DrillCluster, drillCluster } from '../e2e/cluster-fixture.ts'
import { greenRow, greenRuns } from '../support/fault-table.ts'
import { proveFault } from '../support/prove-fault.ts'
import { expectGreen } from '../support/run-drill.ts'

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
})

describe('on a healthy cluster', () => {
  it(`${greenRuns} runs in a row are green`, () =>
    proveFault(greenRow, async () => {
      const seconds: number[] = []
      const wrong: string[] = []
      while (seconds.length < greenRuns && wrong.length === 0) {
        const record = await cluster.assert()
        seconds.push(Math.round(record.durationMs / 100) / 10)
        try {
          expectGreen(record)
        } catch (error) {
          wrong.push(messageOf(error))
        }
      }
      const green = seconds.length - wrong.length
      return { seen: `${green} green runs; ${Math.min(...seconds)} to ${Math.max(...seconds)} s each`, wrong }
    }))
})
