import { conditionOf } from '../kubernetes/conditions.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { shorten } from './reasons.ts'

/** Taints that say "not yet", whatever the Ready condition says. */
const notReadyTaints = new Set([
  'node.kubernetes.io/not-ready',
  'node.kubernetes.io/unreachable',
  'node.kubernetes.io/network-unavailable',
  'node.cloudprovider.kubernetes.io/uninitialized',
])

/** Every reason why the expected nodes are not all ready; empty when they are. */
export function nodeReasons(nodes: readonly KubeObject[], expected: readonly string[]): string[] {
  const present = new Map(nodes.map((node) => [node.metadata.name, node]))
  return expected.flatMap((name) => {
    const node = present.get(name)
    const reason = node === undefined ? 'has not joined' : nodeReason(node)
    return reason === undefined ? [] : [`${name} ${reason}`]
  })
}

function nodeReason(node: KubeObject): string | undefined {
  const ready = conditionOf(node, 'Ready')
  if (ready?.status !== 'True') {
    return `NotReady: ${shorten(ready?.message ?? 'its kubelet has not reported yet')}`
  }
  const taint = (node['spec']?.taints ?? []).find((entry: { key: string }) => notReadyTaints.has(entry.key))
  return taint === undefined ? undefined : `still has the taint ${taint.key}`
}

/** How long a heartbeat is fresh where its Lease does not say: the kubelets' own default. */
const leaseSeconds = 40

/**
 * Every reason why the heartbeats of `nodes` are not fresh; empty when they are. A node whose kubelet died keeps its Ready condition for most of a minute; its
 * Lease tells at once. A kubelet that has just joined may take seconds to make its Lease: until then the status that it posted is its heartbeat.
 */
export function heartbeatReasons(nodes: readonly KubeObject[], leases: readonly KubeObject[], now: Date): string[] {
  const present = new Map(leases.map((lease) => [lease.metadata.name, lease]))
  return nodes.flatMap((node) => {
    const { name } = node.metadata
    const spec = present.get(name)?.['spec']
    const last = spec?.renewTime ?? conditionOf(node, 'Ready')?.lastHeartbeatTime
    if (last === undefined) return [`${name} has sent no heartbeat`]
    const ageSeconds = (now.getTime() - Date.parse(last)) / 1_000
    return ageSeconds <= (spec?.leaseDurationSeconds ?? leaseSeconds)
      ? []
      : [`${name} sent its last heartbeat ${Math.round(ageSeconds)} s ago`]
  })
}
