import type { KubeObject } from '../../../src/kubernetes/objects.ts'

/** Objects as an API server of 1.34 gives them, cut down to the fields that matter and some that do not. */
const namespace = 'shop'

export function deployment(
  name: string,
  status: object = {},
  options: { replicas?: number; generation?: number } = {},
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name,
      namespace,
      uid: `deployment-${name}`,
      generation: options.generation ?? 1,
      annotations: { 'deployment.kubernetes.io/revision': '2' },
    },
    spec: { replicas: options.replicas ?? 1, selector: { matchLabels: { app: name } } },
    status: { observedGeneration: options.generation ?? 1, ...status },
  }
}

export const rolledOut = { replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 }
export const unavailable = { replicas: 1, updatedReplicas: 1, unavailableReplicas: 1 }

export function statefulSet(name: string, status: object = {}, spec: object = {}): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace, uid: `statefulset-${name}`, generation: 3 },
    spec: { replicas: 1, ...spec },
    status: { observedGeneration: 3, ...status },
  }
}

export function replicaSet(of: string, revision = '2'): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${of}-${revision}`,
      namespace,
      uid: `replicaset-${of}-${revision}`,
      annotations: { 'deployment.kubernetes.io/revision': revision },
      ownerReferences: [{ kind: 'Deployment', name: of, uid: `deployment-${of}` }],
    },
  }
}

export function pod(name: string, ownerUid: string, status: object, spec: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, uid: `pod-${name}`, ownerReferences: [{ kind: 'Any', name: 'any', uid: ownerUid }] },
    spec: { containers: [{ name: 'main', image: '127.0.0.1:5001/shop/main:1' }], ...spec },
    status,
  }
}

/** Status of a pod that has a node and one container in this state. */
export function container(state: object, extra: object = {}): object {
  return {
    phase: 'Pending',
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Ready', status: 'False', reason: 'ContainersNotReady' },
    ],
    containerStatuses: [
      { name: 'main', image: 'sha256:0000', ready: false, restartCount: 0, state, lastState: {}, ...extra },
    ],
  }
}

let events = 0

export function warning(
  uid: string,
  reason: string,
  message: string,
  lastTimestamp = '2026-11-21T10:00:00Z',
): KubeObject {
  events += 1
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `event-${events}`, namespace },
    type: 'Warning',
    reason,
    message,
    lastTimestamp,
    involvedObject: { kind: uid.startsWith('pod-') ? 'Pod' : 'ReplicaSet', name: uid.replace(/^[a-z]+-/, ''), uid },
  }
}
