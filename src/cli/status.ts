import { livenessOf } from '../cluster/owner.ts'
import { listStates } from '../cluster/state.ts'
import { conditionOf } from '../kubernetes/conditions.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { exitCodes } from './exit-codes.ts'
import { type RunCommand, text } from './run-command.ts'

/** What is on record here, and what the clusters say of themselves. Exit code 1 where a cluster is not as recorded. */
export const status: RunCommand = async (host, _command, parsed, print) => {
  const wanted = text(parsed, 'cluster-name')
  const states = (await listStates(host)).filter((state) => wanted === undefined || state.name === wanted)
  if (states.length === 0) {
    print(wanted === undefined ? 'No clusters of ours on this host.' : `No cluster ${wanted} of ours on this host.`)
    return wanted === undefined ? exitCodes.ok : exitCodes.failed
  }
  let healthy = true
  for (const state of states) {
    const owner = state.phase === 'creating' ? `, its run is ${await livenessOf(state.owner)}` : ''
    print(
      `${state.name}: ${state.provider}, Kubernetes ${state.kubernetesVersion ?? 'unknown'}, images from ${state.imageSource}, ${state.phase} since ${state.updatedAt}${owner}`,
    )
    const nodes = await nodeLines(host, state.kubeconfig, state.context)
    healthy = healthy && state.phase === 'ready' && nodes.ready
    for (const line of nodes.lines) print(`  ${line}`)
    for (const [nodePort, address] of Object.entries(state.hostPorts))
      print(`  NodePort ${nodePort} is http://${address}`)
    print(`  export KUBECONFIG=${state.kubeconfig}`)
  }
  return healthy ? exitCodes.ok : exitCodes.failed
}

async function nodeLines(
  host: Host,
  kubeconfig: string,
  context: string,
): Promise<{ ready: boolean; lines: string[] }> {
  try {
    const kubernetes = await createKubernetes(host, { kubeconfig, context })
    const nodes = await kubernetes.list({ apiVersion: 'v1', kind: 'Node' })
    const lines = nodes.map((node) => {
      const condition = conditionOf(node, 'Ready')
      const ok = condition?.status === 'True'
      return {
        ok,
        line: `node ${node.metadata.name}: ${ok ? 'Ready' : `NotReady: ${condition?.message ?? 'no condition'}`}`,
      }
    })
    return { ready: lines.every((entry) => entry.ok), lines: lines.map((entry) => entry.line) }
  } catch (error) {
    return { ready: false, lines: [`cannot be asked: ${messageOf(error)}`] }
  }
}
