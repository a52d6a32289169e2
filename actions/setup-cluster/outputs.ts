import { toolFolders } from '../../src/action/job-cluster.ts'
import type { ActionContext } from '../../src/action/run.ts'
import type { SetupResult } from '../../src/cluster/finish-cluster.ts'
import type { contract } from './contract.ts'

type Contract = typeof contract
type Context = ActionContext<Contract['inputs'], keyof Contract['outputs'] & string, keyof Contract['state'] & string>

/** Everything that later steps may want to know, and the programs on their PATH. */
export function setClusterOutputs(context: Context, cluster: SetupResult): void {
  const { outputs, inputs, host } = context
  outputs.set('kubeconfig', cluster.kubeconfig)
  outputs.set('context', cluster.context)
  outputs.set('cluster-name', cluster.name)
  outputs.set('kubernetes-version', cluster.kubernetesVersion)
  outputs.set('provider-version', cluster.providerVersion)
  outputs.set('nodes', cluster.nodes)
  outputs.set('registry', cluster.registry ?? '')
  outputs.set('load-balancer-range', cluster.loadBalancerRange ?? '')
  outputs.set('logs-path', cluster.logsPath)
  outputs.set('attempts', cluster.attempts)
  outputs.set('duration-ms', Math.round(host.timings.elapsedMs()))
  outputs.set('timings', host.timings.entries())
  if (inputs['export-kubeconfig']) context.exportVariable('KUBECONFIG', cluster.kubeconfig)
  for (const folder of toolFolders(cluster.tools)) context.addPath(folder)
}
