import { stringify } from 'yaml'
import { rbacObjects } from '../../src/assert/rbac.ts'
import { runSuites } from '../../src/assert/run-suites.ts'
import { suiteNames } from '../../src/assert/suites.ts'
import { createKubernetes } from '../../src/kubernetes/create-kubernetes.ts'
import type { DrillCluster } from '../e2e/cluster-fixture.ts'
import { accountKubeconfig } from './limited-account.ts'
import { kubectl } from './plain-app.ts'
import { removeAccount } from './run-limited.ts'

/**
 * The cluster as an account sees it that has the rights `assert --print-rbac` prints and no more: an administrator breaks, this account looks. What is red must be seen and explained
 * with these rights, too.
 */
export async function seenByPrintedAccount(
  cluster: DrillCluster,
  probeNamespace: string,
): Promise<{ readonly cluster: DrillCluster; remove(): Promise<void> }> {
  const place = { namespace: 'voting-app', probeNamespace }
  const rights = { ...place, suites: suiteNames }
  const objects = rbacObjects(rights).map((object) => stringify(object))
  await kubectl(cluster, ['apply', '-f', '-'], objects.join('---\n'))
  const kubeconfig = await accountKubeconfig(cluster, probeNamespace)
  const kubernetes = await createKubernetes(cluster.host, { kubeconfig })
  return {
    cluster: {
      ...cluster,
      assert: (options) => runSuites(cluster.host, { ...options, ...place, kubernetes, target: 'voting-app' }),
    },
    remove: () => removeAccount(cluster, rights),
  }
}
