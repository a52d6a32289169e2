import { beforeAll, describe, expect, it } from 'vitest'
import { type DrillCluster, drillCluster } from '../e2e/cluster-fixture.ts'
import { missingDeployRights } from '../support/deploy/missing-rights.ts'
import { deployAs, deployWithout, removeDeployed } from '../support/deploy/run-limited-deploy.ts'

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
})

/** Each verb of the table is needed, or its lack is made up for as the table says. */
describe('rights to deploy', () => {
  it.each(['manifests', 'kustomize', 'chart'] as const)('that are printed are enough for %s', async (form) => {
    const namespace = `deploy-rights-${form}`
    try {
      expect(await deployAs(cluster, form, namespace)).toBe('deployed revisions 1 and 2')
    } finally {
      await removeDeployed(cluster, namespace)
    }
  })

  it.each(missingDeployRights().map((missing, i) => ({ ...missing, i })))(
    'without $title',
    async ({ i, ...missing }) => {
      await deployWithout(cluster, missing, `deploy-rights-${i}`)
    },
  )
})
