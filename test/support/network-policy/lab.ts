import { createBatcher, type ProbeRunner } from '../../../src/assert/probe-batch.ts'
import type { Kubernetes } from '../../../src/kubernetes/client.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import type { ProbeRequest } from '../../../src/probe/protocol.ts'
import type { Host } from '../../../src/process/host.ts'
import { hostNamespace, namespaces, nodeKeys, pods, service, sources, targets } from './fixture.ts'
import { batchesCommand, fixtureObjects, surroundings } from './manifests.ts'

export const podKind = { apiVersion: 'v1', kind: 'Pod' } as const
const namespaceKind = { apiVersion: 'v1', kind: 'Namespace' } as const
const ownNamespaces = [...Object.values(namespaces).map(({ name }) => name), hostNamespace]
/** Image pulls included. */
const startMs = 180_000
const removeMs = 120_000

/** The fixture on a real cluster. */
export interface PolicyLab {
  readonly host: Host
  readonly kubernetes: Kubernetes
  /** Real names of node1 and node2. */
  readonly nodes: Readonly<Record<string, string>>
  /** Address of each pod and node by its key. */
  readonly addresses: ReadonlyMap<string, string>
  /** Every source dials every target once: `x/a -> x/b:8080/TCP` to how the dial ended. */
  look(dialMs: number): Promise<ReadonlyMap<string, string>>
  /** Everything of it removed, and gone. */
  remove(): Promise<void>
}

/** Starts the fixture. A dead run's is removed first. */
export async function startPolicyLab(host: Host, kubernetes: Kubernetes): Promise<PolicyLab> {
  await removeNamespaces(kubernetes, ownNamespaces)
  const nodes = await chooseNodes(kubernetes)
  const around = await surroundings()
  await Promise.all(around.namespaces.map((object) => kubernetes.apply(object)))
  await Promise.all(around.objects.map((object) => kubernetes.apply(object)))
  const objects = fixtureObjects(nodes)
  await Promise.all(objects.map((object) => kubernetes.apply(object)))
  const running = await podsReady(
    kubernetes,
    objects.filter((object) => object.kind === 'Pod'),
  )
  const addresses = new Map(running.map((pod) => [keyOf(pod), pod['status'].podIP as string]))
  const runners = probeRunners(host, kubernetes)
  const [serviceAddress, dnsAddress] = await Promise.all([
    clusterIp(kubernetes, namespaces[service.namespace].name, service.name),
    clusterIp(kubernetes, 'kube-system', 'kube-dns'),
  ])
  return {
    host,
    kubernetes,
    nodes,
    addresses,
    async look(dialMs) {
      const requests = targets.map(({ key, kind, to = '', port, protocol }): ProbeRequest => {
        const common = { id: key, timeoutMs: dialMs }
        const dns = {
          name: 'kubernetes.default.svc.cluster.local',
          type: 'A',
          transport: 'udp',
          search: false,
        } as const
        if (kind === 'dns') return { ...common, ...dns, kind: 'dns', server: { address: dnsAddress } }
        const address = kind === 'service' ? serviceAddress : (addresses.get(to) ?? '')
        return { ...common, kind: protocol === 'UDP' ? 'udp' : 'tcp', host: address, port }
      })
      const seen = await Promise.all(
        [...runners].map(async ([source, runner]) =>
          (await runner.run(requests)).map(({ id, dial }): [string, string] => [`${source} -> ${id}`, dial]),
        ),
      )
      return new Map(seen.flat())
    },
    remove: () => removeNamespaces(kubernetes, ownNamespaces),
  }
}

/** Two Ready nodes, workers if there are two. */
async function chooseNodes(kubernetes: Kubernetes): Promise<Record<string, string>> {
  const ready = (await kubernetes.list({ apiVersion: 'v1', kind: 'Node' })).filter((node) =>
    (node['status'].conditions as { type: string; status: string }[]).some(
      ({ type, status }) => type === 'Ready' && status === 'True',
    ),
  )
  const isControlPlane = (node: KubeObject): boolean =>
    node.metadata.labels?.['node-role.kubernetes.io/control-plane'] !== undefined
  const ordered = [...ready.filter((node) => !isControlPlane(node)), ...ready.filter(isControlPlane)]
  if (ordered.length < nodeKeys.length) throw new Error('the cases of NetworkPolicy want two Ready nodes')
  return Object.fromEntries(nodeKeys.map((key, i) => [key, ordered[i]?.metadata.name ?? '']))
}

/** Resolves with the pods of those names when all are Ready. */
export async function podsReady(kubernetes: Kubernetes, wanted: readonly KubeObject[]): Promise<KubeObject[]> {
  const keys = new Set(wanted.map(keyOf))
  const unready = (seen: readonly KubeObject[]): string[] => {
    const ready = new Set(seen.filter(isReady).map(keyOf))
    return [...keys].filter((key) => !ready.has(key))
  }
  const seen = await kubernetes.until(
    `pods ${[...keys].join(', ')}`,
    podKind,
    {},
    {
      timeoutMs: startMs,
      done: (all) => unready(all).length === 0,
      explain: (all) => `not Ready: ${unready(all).join(', ')}`,
    },
  )
  return seen.filter((pod) => keys.has(keyOf(pod)))
}

export function isReady(pod: KubeObject): boolean {
  return ((pod['status']?.conditions ?? []) as { type: string; status: string }[]).some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  )
}

/** `x/a` of pod `a` in namespace `policy-x`; `node1` of the pod in that node's network. */
export function keyOf(pod: KubeObject): string {
  const { name, namespace = '' } = pod.metadata
  if (namespace === hostNamespace) return name
  const key = Object.entries(namespaces).find(([, value]) => value.name === namespace)?.[0]
  // Somebody else's namespace may be called x.
  return key === undefined ? `pod ${namespace}/${name}` : `${key}/${name}`
}

/** Namespace and name of the pod that dials for a source. */
export function podOf(source: string): { namespace: string; pod: string } {
  const fixture = pods.find((pod) => pod.key === source)
  return fixture === undefined
    ? { namespace: hostNamespace, pod: source }
    : { namespace: namespaces[fixture.namespace].name, pod: fixture.name }
}

function probeRunners(host: Host, kubernetes: Kubernetes): ReadonlyMap<string, ProbeRunner> {
  const runners = sources.map((source): [string, ProbeRunner] => [
    source,
    createBatcher(host, `pod ${source}`, (batch, timeoutMs) =>
      kubernetes.exec({ ...podOf(source), command: batchesCommand, stdin: `${JSON.stringify(batch)}\n`, timeoutMs }),
    ),
  ])
  return new Map(runners)
}

async function clusterIp(kubernetes: Kubernetes, namespace: string, name: string): Promise<string> {
  const found = await kubernetes.get({ apiVersion: 'v1', kind: 'Service', namespace, name })
  return found?.['spec'].clusterIP ?? ''
}

/** Resolves when they are gone with all that was in them. */
export async function removeNamespaces(kubernetes: Kubernetes, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => kubernetes.delete({ ...namespaceKind, name })))
  const left = (all: readonly KubeObject[]): string[] =>
    all.map((one) => one.metadata.name).filter((name) => names.includes(name))
  await kubernetes.until(
    'namespaces of the policy tests gone',
    namespaceKind,
    {},
    {
      timeoutMs: removeMs,
      done: (all) => left(all).length === 0,
      explain: (all) => left(all).join(', '),
    },
  )
}
