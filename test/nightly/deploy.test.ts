import { afterAll, beforeAll, describe, it } from 'vitest'
import { type DrillCluster, drillCluster } from '../e2e/cluster-fixture.ts'
import { type BrokenName, brokenApps, policyObjects } from '../support/deploy/broken-apps.ts'
import { brokenGone, startBroken } from '../support/deploy/run-broken.ts'

const names = Object.keys(brokenApps) as BrokenName[]

let cluster: DrillCluster
let runs: Map<BrokenName, Promise<void>>

beforeAll(async () => {
  cluster = await drillCluster()
  for (const object of policyObjects) await cluster.kubernetes.apply(object)
  runs = startBroken(cluster, names)
})
afterAll(async () => {
  await Promise.allSettled(runs.values())
  for (const { apiVersion, kind, metadata } of policyObjects)
    await cluster.kubernetes.delete({ apiVersion, kind, name: metadata.name })
  await brokenGone(cluster)
})

/** Every way to be broken, at once, each in a namespace of its own. */
describe('a deployment that cannot become ready says why', () => {
  it.each(names)('%s', async (name) => runs.get(name))
})
