/**
 * What the cases of NetworkPolicy are played on: five pods in three namespaces on two nodes, and one pod in each of the two nodes' own network. Every pod
 * dials every target, so one look at the cluster is the whole table of who reaches whom.
 */
export const namespaces = {
  x: { name: 'policy-x', labels: { team: 'red' } },
  y: { name: 'policy-y', labels: { team: 'blue', env: 'prod' } },
  z: { name: 'policy-z', labels: { team: 'green' } },
} as const
export type NamespaceKey = keyof typeof namespaces

/** Pods of the nodes' own network cannot live under the Pod Security level that the others are held to. */
export const hostNamespace = 'policy-nodes'
export const nodeKeys = ['node1', 'node2'] as const
export type NodeKey = (typeof nodeKeys)[number]

export interface PodFixture {
  /** `namespace/name`, as the cases write it. */
  readonly key: string
  readonly namespace: NamespaceKey
  readonly name: string
  readonly node: NodeKey
  readonly labels: Readonly<Record<string, string>>
  /** Which TCP port is called `web` here: a named port means another number on another pod, or none. */
  readonly web?: number
}

export const pods: readonly PodFixture[] = [
  { key: 'x/a', namespace: 'x', name: 'a', node: 'node1', labels: { app: 'a', tier: 'front' }, web: 8080 },
  { key: 'x/b', namespace: 'x', name: 'b', node: 'node2', labels: { app: 'b', tier: 'back' }, web: 8081 },
  { key: 'y/a', namespace: 'y', name: 'a', node: 'node2', labels: { app: 'a', tier: 'front' }, web: 8080 },
  { key: 'y/b', namespace: 'y', name: 'b', node: 'node1', labels: { app: 'b' }, web: 8081 },
  { key: 'z/a', namespace: 'z', name: 'a', node: 'node1', labels: { app: 'a', tier: 'back' } },
]

/** Every pod answers on these; UDP 8080 is called `query`. */
export const podPorts = [
  { port: 8080, protocol: 'TCP' },
  { port: 8081, protocol: 'TCP' },
  { port: 8080, protocol: 'UDP' },
] as const
/** Where the pods in the nodes' own network listen: clear of what a node uses itself. */
export const hostPort = 18080
/** A Service in front of x/b. Its own port is not that of the pod. */
export const service = { namespace: 'x', name: 'b', pod: 'x/b', port: 80, targetPort: 8080 } as const

export interface Target {
  /** `x/b:8080/TCP`, as the cases write it. */
  readonly key: string
  readonly kind: 'pod' | 'service' | 'node' | 'dns'
  /** Pod or node it leads to; of DNS nothing of ours. */
  readonly to?: string
  readonly port: number
  readonly protocol: 'TCP' | 'UDP'
}

export const targets: readonly Target[] = [
  ...pods.flatMap((pod) =>
    podPorts.map(({ port, protocol }): Target => {
      return { key: `${pod.key}:${port}/${protocol}`, kind: 'pod', to: pod.key, port, protocol }
    }),
  ),
  { key: `${service.pod}:80/service`, kind: 'service', to: service.pod, port: service.port, protocol: 'TCP' },
  ...nodeKeys.map((node): Target => {
    return { key: `${node}:${hostPort}/TCP`, kind: 'node', to: node, port: hostPort, protocol: 'TCP' }
  }),
  { key: 'dns:53/UDP', kind: 'dns', port: 53, protocol: 'UDP' },
]

/** Who dials: the pods, and the two nodes by a pod in their own network. */
export const sources: readonly string[] = [...pods.map((pod) => pod.key), ...nodeKeys]

/** `x/a -> x/b:8080/TCP` for every pair. */
export const flows: readonly string[] = sources.flatMap((source) =>
  targets.map((target) => `${source} -> ${target.key}`),
)
