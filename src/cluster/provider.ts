/** Named in the design; this version makes kind clusters and refuses the others. */
export const providers = ['kind', 'k3d', 'k3s', 'rke2', 'kubeadm', 'existing'] as const

/** A node to make. `zone` becomes topology.kubernetes.io/zone. */
export interface NodeRequest {
  readonly role: 'control-plane' | 'worker'
  readonly labels?: Readonly<Record<string, string>>
  /** As kubectl writes them: `key=value:NoSchedule`. */
  readonly taints?: readonly string[]
  readonly zone?: string
}

export type ImageSource = 'registry' | 'packages'

/** What to make, after inputs and spec are merged and defaults applied. */
export interface ClusterRequest {
  readonly name: string
  /** Only `kind` for now; undefined is kind. */
  readonly provider?: string
  /** `1.36`, `1.36.x` or exact; undefined is the image source's default. */
  readonly kubernetesVersion?: string
  /** Exact version of the provider's tool, `preinstalled`, or undefined for the pinned default. */
  readonly providerVersion?: string
  readonly nodes: readonly NodeRequest[]
  /** True when nobody asked for `nodes`: then a user's `config` that lists nodes decides alone. */
  readonly nodesDefaulted?: boolean
  readonly nodeImage?: string
  /** Path of the user's own provider config (a kind config), merged with the rest (kind-config.ts states the rules). */
  readonly config?: string
  readonly extraArgs: readonly string[]
  readonly registry: boolean
  /** Host port of the local registry; undefined picks a free one. */
  readonly registryPort?: number
  readonly registryMirror?: string
  readonly imageSource: ImageSource
  readonly downloadBaseUrl?: string
  /** `server` (the server's minor), an exact version, or `none`. */
  readonly kubectlVersion: string
  readonly waitFor: readonly ('api' | 'nodes' | 'system')[]
  readonly timeoutMs: number
}

export interface NodeInfo {
  readonly name: string
  readonly role: 'control-plane' | 'worker'
  readonly address: string
}

/** A cluster that is really ready. */
export interface Cluster {
  readonly name: string
  readonly provider: string
  /** Path, mode 0600. */
  readonly kubeconfig: string
  readonly context: string
  readonly kubernetesVersion: string
  readonly providerVersion: string
  readonly nodes: readonly NodeInfo[]
  /** `127.0.0.1:<port>` to push to, if there is a local registry. */
  readonly registry?: string
  /** First and last address usable for LoadBalancer services, `172.18.255.200-172.18.255.250`. */
  readonly loadBalancerRange?: string
  /** NodePort -> `127.0.0.1:<host port>`. */
  readonly hostPorts: Readonly<Record<string, string>>
  /** Programs found or downloaded for this cluster, by name: absolute paths. `kubectl` only where it was asked for. */
  readonly tools: Readonly<Record<string, string>>
}
