import type { Host } from '../process/host.ts'

export interface LoadImagesRequest {
  readonly kubeconfig: string
  readonly context?: string
  /** Where the nodes of the kubeconfig do not tell by themselves which cluster they are. */
  readonly clusterName?: string
  /** Names that the local Docker knows, as a manifest would write them: `shop:1`, `ghcr.io/org/shop@sha256:...`. */
  readonly images: readonly string[]
  /** Paths of `docker save` or OCI layout archives, compressed or not; every image in them is loaded under its own name. */
  readonly archives: readonly string[]
  /** For all of it. Default 10 minutes. */
  readonly timeoutMs?: number
}

/** One image that every node now has, under the name that manifests use. */
export interface LoadedImage {
  /** Fully written: `docker.io/library/shop:1`. */
  readonly image: string
  /** Digest that the nodes know it by, of its manifest. */
  readonly digest: string
  /** By the cluster's registry, by importing an archive, or not at all: the nodes had it. */
  readonly how: 'registry' | 'archive' | 'present'
  /** The nodes that have it: all of the cluster's. */
  readonly nodes: readonly string[]
  readonly ms: number
}

/** `loadImages` of this file, for whoever takes it as a parameter. */
export type LoadImages = (host: Host, request: LoadImagesRequest) => Promise<readonly LoadedImage[]>
