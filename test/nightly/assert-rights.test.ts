import { afterAll, beforeAll, describe, it } from 'vitest'
import { type DrillCluster, drillCluster } from '../e2e/cluster-fixture.ts'
import { missingRights } from '../support/limited-account.ts'
import { kubectl, plainAppManifest } from '../support/plain-app.ts'
import { expectGreen } from '../support/run-drill.ts'
import { runInOwnNamespace, runWithout } from '../support/run-limited.ts'

const plain = 'plain-rights'

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
  await kubectl(cluster, ['apply', '-f', '-'], plainAppManifest(plain))
  await kubectl(cluster, ['rollout', 'status', 'deployment/plain', '-n', plain, '--timeout=100s'])
})
afterAll(async () => {
  await kubectl(cluster, ['delete', 'namespace', plain, '--ignore-not-found', '--wait=false'])
})

/** Each verb of the tables is needed: without it a check is inconclusive and names it, or the log does. */
describe('rights', () => {
  it.each(missingRights().map((missing, i) => ({ ...missing, i })))('$title', async ({ i, ...missing }) => {
    const namespace = missing.suite === 'vote-flow' ? 'voting-app' : plain
    await runWithout(cluster, missing, { namespace, probeNamespace: `rights-${i}` })
  })

  it('without a probe namespace are enough', async () => {
    expectGreen(await runInOwnNamespace(cluster, { namespace: plain, probeNamespace: 'rights-own' }))
  })
})
