import { beforeAll, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { runCli } from '../support/cli.ts'
import { missingDeployRights } from '../support/deploy/missing-rights.ts'
import { deployWithout, removeDeployed } from '../support/deploy/run-limited-deploy.ts'
import { writeSample } from '../support/deploy/sample-app.ts'
import { accountKubeconfig } from '../support/limited-account.ts'
import { kubectl } from '../support/plain-app.ts'
import { type DrillCluster, drillCluster } from './cluster-fixture.ts'

const namespace = 'deploy-alone'

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
})

it('deploys with the rights that it prints', async () => {
  const folder = writeSample(cluster.host.paths.temp, 'manifests', 1)
  const args = ['--manifests', folder, '--namespace', namespace, '--release', 'web']
  try {
    const printed = await runCli(['deploy', '--print-rbac', '--kubeconfig', cluster.kubeconfig, ...args])
    expect(printed.code, printed.log).toBe(0)
    expect(parseAllDocuments(printed.stdout).map((document) => document.get('kind'))).toContain('Role')
    await kubectl(cluster, ['apply', '-f', '-'], printed.stdout)
    const kubeconfig = await accountKubeconfig(cluster, namespace, 'k8s-platform-deploy')
    const run = await runCli(['deploy', '--kubeconfig', kubeconfig, ...args])
    expect(run.code, run.log).toBe(0)
    expect(run.stdout).toMatch(/release web in deploy-alone, revision 1: 3 created/)
  } finally {
    await removeDeployed(cluster, namespace)
  }
})

// The nightly tests take away each.
it('without one of them is refused, and names it', async () => {
  const missing = missingDeployRights().find(({ title }) => title === 'objects: patch deployments')
  if (missing === undefined) throw new Error('no such row')
  await deployWithout(cluster, missing, `${namespace}-without`)
})
