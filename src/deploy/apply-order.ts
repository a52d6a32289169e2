import { isCustom } from '../kubernetes/object-state.ts'
import type { KubeObject } from '../kubernetes/objects.ts'

/** Kinds that others need, before those; what is named nowhere comes after the workloads. Webhooks last: they would refuse what their own pods must first be there for. */
const phases: readonly (readonly string[])[] = [
  ['Namespace'],
  ['CustomResourceDefinition'],
  [
    'PriorityClass',
    'RuntimeClass',
    'StorageClass',
    'ResourceQuota',
    'LimitRange',
    'NetworkPolicy',
    'ServiceAccount',
    'Secret',
    'ConfigMap',
    'PersistentVolume',
    'ClusterRole',
    'Role',
  ],
  ['ClusterRoleBinding', 'RoleBinding', 'PersistentVolumeClaim', 'PodDisruptionBudget', 'Service'],
  ['Pod', 'ReplicationController', 'ReplicaSet', 'Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob'],
]
const last = [
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
]

function phaseOf(object: KubeObject): number {
  // A custom kind may be called Service, too.
  const phase = isCustom(object) ? -1 : phases.findIndex((kinds) => kinds.includes(object.kind))
  if (phase !== -1) return phase
  return last.includes(object.kind) ? phases.length + 1 : phases.length
}

/** Groups to apply one after the other; within a group in the order given. */
export function inPhases<T>(items: readonly T[], objectOf: (item: T) => KubeObject): T[][] {
  const groups = new Map<number, T[]>()
  for (const item of items) {
    const phase = phaseOf(objectOf(item))
    groups.set(phase, [...(groups.get(phase) ?? []), item])
  }
  return [...groups.entries()].sort(([a], [b]) => a - b).map(([, group]) => group)
}
