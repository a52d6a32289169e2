import type { KubeObject } from '../../src/kubernetes/objects.ts'

export const podCount = 1_000
export const policyCount = 500
export const namespaceCount = 20
const nodeCount = 10
/** The agent's node; it has its share of the pods. */
export const thisNode = 'node-0'
const tiers = ['front', 'back', 'store']

export const namespaceName = (i: number): string => `bench-${i % namespaceCount}`

export function nodes(): KubeObject[] {
  return Array.from({ length: nodeCount }, (_, i) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `node-${i}`, labels: { 'kubernetes.io/hostname': `node-${i}` } },
    spec: { podCIDR: `10.100.${i}.0/24`, podCIDRs: [`10.100.${i}.0/24`] },
  }))
}

export function namespaces(): KubeObject[] {
  return Array.from({ length: namespaceCount }, (_, i) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespaceName(i), labels: { team: `team-${i % 5}` } },
  }))
}

/** Pods spread over namespaces and nodes; each node has pods of every namespace. */
export function pod(i: number): KubeObject {
  const labels = { app: `app-${i % 40}`, tier: tiers[i % tiers.length] ?? '' }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${i}`, namespace: namespaceName(i), labels },
    spec: {
      nodeName: `node-${Math.floor(i / namespaceCount) % nodeCount}`,
      automountServiceAccountToken: false,
      containers: [
        { name: 'main', image: 'none.invalid/none:1', ports: [{ name: 'web', containerPort: 8000 + (i % 3) }] },
      ],
    },
  }
}

/** Policies of every kind there is, in turn. */
export function policy(i: number): KubeObject {
  const own = { matchLabels: { app: `app-${i % 40}` } }
  const team = { namespaceSelector: { matchLabels: { team: `team-${i % 5}` } } }
  const tier = { podSelector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['front', 'back'] }] } }
  const block = { ipBlock: { cidr: `172.${16 + (i % 16)}.0.0/16`, except: [`172.${16 + (i % 16)}.${i % 256}.0/24`] } }
  const range = { port: 9000, endPort: 9000 + (i % 100) }
  const specs: readonly object[] = [
    { podSelector: own, ingress: [{ from: [tier], ports: [{ port: 'web' }] }] },
    { podSelector: own, ingress: [{ from: [{ ...team, ...tier }, block], ports: [{ port: 8080 }, range] }] },
    { podSelector: own, policyTypes: ['Egress'], egress: [{ to: [team], ports: [{ port: 53, protocol: 'UDP' }] }] },
    { podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [{ from: [team] }], egress: [{ to: [block] }] },
    { podSelector: own, policyTypes: ['Egress'], egress: [{ to: [tier], ports: [{ port: 'web' }] }, { to: [block] }] },
  ]
  // Across, so that every namespace has policies of every kind.
  const namespace = namespaceName(Math.floor(i / specs.length))
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `policy-${i}`, namespace },
    spec: specs[i % specs.length] ?? {},
  }
}
