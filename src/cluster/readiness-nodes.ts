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

/**
 * Every reason why the nodes' heartbeats are not fresh; empty when they are. A node whose kubelet died keeps its Ready condition for most of a minute; its
 * Lease tells at once.
 */
export function leaseReasons(leases: readonly KubeObject[], expected: readonly string[], now: Date): string[] {
  const present = new Map(leases.map((lease) => [lease.metadata.name, lease]))
  return expected.flatMap((name) => {
    const spec = present.get(name)?.['spec']
    if (spec?.renewTime === undefined) return [`${name} has sent no heartbeat`]
    const ageSeconds = (now.getTime() - Date.parse(spec.renewTime)) / 1_000
    const limit = spec.leaseDurationSeconds ?? 40
    return ageSeconds <= limit ? [] : [`${name} sent its last heartbeat ${Math.round(ageSeconds)} s ago`]
  })
}
