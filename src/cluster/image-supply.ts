import type { Host } from '../process/host.ts'
import type { FoundTool } from '../tools/find-tool.ts'
import type { ToolName } from '../tools/pinned-tools.ts'
import type { Architecture } from '../tools/platform.ts'
import type { ToolCache } from '../tools/tool-cache.ts'
import type { RegistryMirrors } from './mirrors.ts'
import type { ClusterRequest } from './provider.ts'
import type { LocalRegistry } from './registry.ts'

export interface SupplyContext {
  readonly request: ClusterRequest
  readonly architecture: Architecture
  readonly toolCache?: ToolCache
}

/**
 * Where a cluster's programs and images come from. There are two: public registries and download pages (registry-supply.ts), and package registries
 * (packages-supply.ts, loaded only when asked for). Everything above this line is the same for both.
 */
export interface ImageSupply {
  /** Exact Kubernetes versions there are node images for. */
  versions(host: Host): Promise<readonly string[]>
  /** Work that may take long and is no part of making a cluster, such as compiling; the cluster's time-out starts after it. */
  prepare(host: Host, version: string): Promise<void>
  tool(host: Host, tool: ToolName, version: string): Promise<FoundTool>
  /** Makes sure the node image is in the host's Docker; resolves with the name to give to kind. */
  nodeImage(host: Host, version: string): Promise<string>
  /** The same for the local registry's image. */
  registryImage(host: Host): Promise<string>
  /** Docker network of the nodes. `exists` is false where kind will make it together with the nodes. */
  network(host: Host): Promise<{ readonly name: string; readonly exists: boolean }>
  /** Fills the local registry while the cluster boots. */
  publish(host: Host, registry: LocalRegistry): Promise<void>
  /** Folder that keeps the registry's content beyond the cluster. */
  registryStorage?(host: Host): string
  readonly registryRunArgs: readonly string[]
  /** Environment for kind and the docker it calls; default is the host's. */
  kindEnvironment?(host: Host): Promise<Readonly<Record<string, string>>>
  readonly mirrors: RegistryMirrors
  /** No container of the network can reach the outside: the local registry must exist and has all there is. */
  readonly sealed: boolean
}
