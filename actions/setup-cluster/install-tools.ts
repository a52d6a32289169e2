import { installKubectl } from '../../src/cluster/kubectl.ts'
import { resolveKubernetesVersion } from '../../src/cluster/kubernetes-version.ts'
import type { Cluster, ClusterRequest } from '../../src/cluster/provider.ts'
import { supplyFor } from '../../src/cluster/supply.ts'
import type { Host } from '../../src/process/host.ts'
import { supportedArchitecture } from '../../src/tools/platform.ts'
import type { ToolCache } from '../../src/tools/tool-cache.ts'

/** kind and kubectl as the cluster would get them, without a cluster. Resolves with their paths by name. */
export async function installTools(
  host: Host,
  request: ClusterRequest,
  options: { readonly machine: { readonly platform: string; readonly arch: string }; readonly toolCache?: ToolCache },
): Promise<Cluster['tools']> {
  const architecture = supportedArchitecture(options.machine)
  const supply = await supplyFor({
    request,
    architecture,
    ...(options.toolCache === undefined ? {} : { toolCache: options.toolCache }),
  })
  const { version } = resolveKubernetesVersion(
    request.kubernetesVersion,
    request.imageSource,
    await supply.versions(host),
  )
  const [kind, kubectl] = await host.timings.phase('tools', () =>
    Promise.all([
      supply.tool(host, 'kind', request.providerVersion ?? ''),
      installKubectl(host, supply, request.kubectlVersion, version),
    ]),
  )
  return { kind: kind.path, ...(kubectl === undefined ? {} : { kubectl: kubectl.path }) }
}
