import { stringify } from 'yaml'
import { type KindNode, roleOf } from './kind-nodes.ts'

/**
 * A kubeadm patch (without an apiVersion, so kind fits it to every version's form) that takes two waits out of a cluster's start. Measured on two
 * cores, from `kubeadm init` to the moment workers can join:
 * - The controller manager gives each controller an account and a token, and its client allows itself 20 requests a second: 4 s of a processor at rest.
 * - It asks for its lease before the API server has made the roles that allow it, and asks again 2 to 4 s later, as the scheduler does. A lease
 *   chooses among several; the only control plane needs none.
 */
export function controlPlanePatch(nodes: readonly KindNode[]): string {
  const alone = nodes.filter((node) => roleOf(node) === 'control-plane').length <= 1
  const election = alone ? { 'leader-elect': 'false' } : {}
  return stringify({
    kind: 'ClusterConfiguration',
    controllerManager: { extraArgs: { 'kube-api-qps': '100', 'kube-api-burst': '200', ...election } },
    ...(alone ? { scheduler: { extraArgs: election } } : {}),
  })
}
