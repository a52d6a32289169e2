import { installKubectl } from '../../src/cluster/kubectl.ts'
import { resolveKubernetesVersion } from '../../src/cluster/kubernetes-version.ts'
import { requestProblems } from '../../src/cluster/preflight.ts'
import type { Cluster, ClusterRequest } from '../../src/cluster/provider.ts'
import { supplyFor } from '../../src/cluster/supply.ts'
import { InputError } from '../../src/process/errors.ts'
import type { Host } from '../../src/process/host.ts'
import { supportedArchitecture } from '../../src/tools/platform.ts'
import type { ToolCache } from '../../src/tools/tool-cache.ts'

export interface InstalledTools {
  /** Paths by name. */
  readonly tools: Cluster['tools']
  readonly providerVersion: string
}

/**
 * kind and kubectl as the cluster would get them, without a cluster.
 * @throws InputError for a request that no cluster could be made from either.
 */
export async function installTools(
  host: Host,
  request: ClusterRequest,
  options: { readonly machine: { readonly platform: string; readonly arch: string }; readonly toolCache?: ToolCache },
): Promise<InstalledTools> {
  const problems = requestProblems(request)
  if (problems.length > 0) throw new InputError(problems)
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
  return {
    tools: { kind: kind.path, ...(kubectl === undefined ? {} : { kubectl: kubectl.path }) },
    providerVersion: kind.version,
  }
}
