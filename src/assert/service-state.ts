import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { endpointsOf, listSlices } from './endpoints.ts'
import { explainPod, isPodFinished, isPodReady } from './explain-pod.ts'

/** Everything of a namespace that decides where its Services lead. */
export interface NamespaceState {
  /** Services that Kubernetes routes: not ExternalName. */
  readonly services: readonly KubeObject[]
  readonly slices: readonly KubeObject[]
  readonly pods: readonly KubeObject[]
  readonly workloads: readonly KubeObject[]
  /** Name of a NetworkPolicy that isolates the pod for ingress, if any. */
  readonly isolating: (pod: string) => string | undefined
}

export async function readNamespace(kubernetes: Kubernetes, namespace: string): Promise<NamespaceState> {
  const list = (apiVersion: string, kind: string): Promise<KubeObject[]> =>
    kubernetes.list({ apiVersion, kind }, { namespace })
  const [services, slices, pods, policies, ...workloads] = await Promise.all([
    list('v1', 'Service'),
    listSlices(kubernetes, namespace),
    list('v1', 'Pod'),
    list('networking.k8s.io/v1', 'NetworkPolicy'),
    list('apps/v1', 'Deployment'),
    list('apps/v1', 'StatefulSet'),
    list('apps/v1', 'DaemonSet'),
  ])
  return {
    services: services.filter((service) => service['spec']?.type !== 'ExternalName'),
    slices,
    pods,
    workloads: workloads.flat(),
    isolating(name) {
      const labels = pods.find((pod) => pod.metadata.name === name)?.metadata.labels ?? {}
      const policy = policies.find((one) => isIngressPolicy(one) && selects(one['spec']?.podSelector ?? {}, labels))
      return policy?.metadata.name
    },
  }
}

type Labels = Readonly<Record<string, string>>

interface LabelSelector {
  readonly matchLabels?: Labels
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: string
    readonly values?: readonly string[]
  }[]
}

/** A policy without policyTypes is one for ingress. */
function isIngressPolicy(policy: KubeObject): boolean {
  const types: readonly string[] = policy['spec']?.policyTypes ?? ['Ingress']
  return types.includes('Ingress')
}

/** The API's label selector; an empty one selects everything. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  const byLabels = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value)
  const byExpressions = (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key]
    if (operator === 'In') return value !== undefined && values.includes(value)
    if (operator === 'NotIn') return value === undefined || !values.includes(value)
    return operator === 'Exists' ? value !== undefined : value === undefined
  })
  return byLabels && byExpressions
}

/**
 * Why a Service leads nowhere, the cause first; undefined when it has ready endpoints, or no selector (someone else fills it). `fault: false` when it is
 * meant to lead nowhere: its workload is scaled to zero.
 */
export function explainNoEndpoints(
  state: NamespaceState,
  service: KubeObject,
): { readonly text: string; readonly fault: boolean } | undefined {
  const selector: Labels | undefined = service['spec']?.selector
  if (selector === undefined || Object.keys(selector).length === 0) return undefined
  const endpoints = endpointsOf(state.slices, service.metadata.name)
  const ready = endpoints.filter((endpoint) => endpoint.ready)
  const rendered = Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
  if (ready.length > 0) {
    const without = ready.filter((endpoint) => endpoint.port === 0)
    if (without.length === 0) return undefined
    const targets: readonly { targetPort?: number | string; port: number }[] = service['spec']?.ports ?? []
    const named = targets.map((port) => String(port.targetPort ?? port.port)).join(', ')
    return { text: `its endpoints have no port: no container has a port named ${named}`, fault: true }
  }
  const matching = state.pods.filter(
    (pod) => selects({ matchLabels: selector }, pod.metadata.labels ?? {}) && !isPodFinished(pod),
  )
  if (matching.length > 0) {
    const bad = matching.find((pod) => !isPodReady(pod))
    const why = bad === undefined ? '' : ` (${bad.metadata.name}: ${explainPod(bad)})`
    return { text: `no ready endpoints: ${matching.length} pods match ${rendered}, none is Ready${why}`, fault: true }
  }
  const templates = state.workloads.filter((workload) =>
    selects({ matchLabels: selector }, workload['spec']?.template?.metadata?.labels ?? {}),
  )
  if (templates.length > 0 && templates.every((workload) => workload['spec']?.replicas === 0)) {
    const names = templates.map((workload) => `${workload.kind} ${workload.metadata.name}`).join(', ')
    return { text: `no endpoints: ${names} is scaled to zero`, fault: false }
  }
  if (templates.length > 0) return { text: `no ready endpoints: no pod matches ${rendered} yet`, fault: true }
  return {
    text: `no ready endpoints: the selector ${rendered} matches no pod and no workload${nearest(state, selector)}`,
    fault: true,
  }
}

/** The workload that shares a key with the selector, or most of its pairs: most likely what was meant. */
function nearest(state: NamespaceState, selector: Labels): string {
  const keys = Object.keys(selector)
  const scored = state.workloads
    .map((workload) => {
      const labels: Labels = workload['spec']?.template?.metadata?.labels ?? {}
      const equal = keys.filter((key) => labels[key] === selector[key]).length
      const near = keys.filter((key) => labels[key] !== undefined && similar(labels[key], selector[key] ?? '')).length
      return { workload, labels, score: 2 * equal + near }
    })
    .filter((entry) => entry.score > 0)
    .sort((a, b) => b.score - a.score)
  const best = scored[0]
  if (best === undefined) return ''
  const labels = keys.flatMap((key) => (best.labels[key] === undefined ? [] : [`${key}=${best.labels[key]}`])).join(',')
  return ` (${best.workload.kind} ${best.workload.metadata.name} has ${labels})`
}

/** One starts with the other, or they differ in at most two places: `vote` and `votes`, `worker` and `wrker`. */
function similar(a: string, b: string): boolean {
  if (a.startsWith(b) || b.startsWith(a)) return true
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + cost))
    }
    row = next
  }
  return (row[b.length] ?? Number.POSITIVE_INFINITY) <= 2
}
