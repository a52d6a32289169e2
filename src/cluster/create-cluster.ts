import { UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { supportedArchitecture } from '../tools/platform.ts'
import type { ToolCache } from '../tools/tool-cache.ts'
import { claimCluster } from './claim.ts'
import { diskFull, explainFailure } from './creation-failure.ts'
import { type FinishHooks, finishCluster, type SetupResult } from './finish-cluster.ts'
import type { ImageSupply, SupplyContext } from './image-supply.ts'
import { initialState, requestKey } from './initial-state.ts'
import { createKindCluster } from './kind.ts'
import { resolveKubernetesVersion, versionOfNodeImage } from './kubernetes-version.ts'
import { loadBalancerRange } from './load-balancer-range.ts'
import type { Made, Making } from './making.ts'
import { type ClusterOwner, identityOf } from './owner.ts'
import { preflight } from './preflight.ts'
import type { ClusterRequest } from './provider.ts'
import { raiseLowLimits } from './raise-limits.ts'
import { type WatchRegistry, whileRegistryLives } from './registry-watch.ts'
import { reuseCluster } from './reuse-cluster.ts'
import { type ClusterState, listStates, readState } from './state.ts'
import { StateJournal } from './state-journal.ts'
import { supplyFor } from './supply.ts'
import { makingHost } from './unfinished-work.ts'

export interface SetupOptions extends FinishHooks {
  readonly owner: ClusterOwner
  /** This machine, `process.platform` and `process.arch`. */
  readonly machine: { readonly platform: string; readonly arch: string }
  /** For the cluster's own files: kubeconfig, logs. Absolute, not shared with anything. Default `<temp>/<cluster name>`. */
  readonly folder?: string
  readonly toolCache?: ToolCache
  /** Where images and programs come from; default is what the request's image source means. */
  readonly supply?: (context: SupplyContext) => ImageSupply | Promise<ImageSupply>
  /** Use a cluster of this name that was made from the same request, after checking that it is ready. Without it such a cluster is an error. */
  readonly reuse?: boolean
  /** Called with each state as it is saved, the first time before anything is created. */
  readonly onState?: (state: ClusterState) => void | Promise<void>
}

/**
 * From nothing to a cluster that is really ready: checks, tools, images, nodes, registry, readiness gate, each a phase in `host.timings`. Rejects with the error that
 * explains the failure; the evidence then lies under the state's `logsPath`, and `teardownCluster` removes what was made.
 */
export async function setupCluster(host: Host, request: ClusterRequest, options: SetupOptions): Promise<SetupResult> {
  const architecture = supportedArchitecture(options.machine)
  if ((request.provider ?? 'kind') !== 'kind') {
    throw new UnsupportedError(`provider ${request.provider} is not supported yet`, {
      code: 'PROVIDER_UNSUPPORTED',
      hint: 'Use `provider: kind`.',
    })
  }
  const supply = await (options.supply ?? supplyFor)({
    request,
    architecture,
    ...(options.toolCache === undefined ? {} : { toolCache: options.toolCache }),
  })
  const version = await host.timings.phase('preflight', () => checkEverything(host, request, options, supply))
  await host.timings.phase('prepare', () => supply.prepare(host, version))
  const deadline = host.clock.monotonic() + request.timeoutMs
  const key = await requestKey(request, version)
  const initial = initialState(host, request, options, version, key, await identityOf(process.pid))
  const present = await claimCluster(host, initial, options.reuse === true).catch((error: unknown) =>
    diskFull(host, initial, error),
  )
  const journal = new StateJournal(host, present ?? initial, options.onState)
  await journal.update({ maker: initial.maker }).catch((error: unknown) => diskFull(host, initial, error))
  host.log.debug(`cluster ${request.name} is on record`)
  const making: Making = { request, supply, journal, deadline }
  try {
    return await whileRegistryLives(host, request.name, async (own, watch) => {
      const made = present === undefined ? await create(own, making, version, watch) : await reuseCluster(own, making)
      return await finishCluster(own, making, made, options)
    })
  } catch (error) {
    throw await explainFailure(host, journal, error, present !== undefined)
  }
}

async function checkEverything(
  host: Host,
  request: ClusterRequest,
  options: SetupOptions,
  supply: ImageSupply,
): Promise<string> {
  const version =
    request.nodeImage === undefined
      ? resolve(host, request, await supply.versions(host))
      : (versionOfNodeImage(request.nodeImage) ?? request.kubernetesVersion ?? 'unknown')
  // A cluster that is there already has its memory, its disk and its ports.
  const existing = options.reuse === true ? await readState(host, request.name) : undefined
  await preflight(host, request, { kubernetesVersion: version, hasCluster: existing?.phase === 'ready' })
  return version
}

function resolve(host: Host, request: ClusterRequest, available: readonly string[]): string {
  const { version, defaulted } = resolveKubernetesVersion(request.kubernetesVersion, request.imageSource, available)
  if (defaulted) host.log.info(`no kubernetes-version was given; image-source ${request.imageSource} takes ${version}`)
  return version
}

async function create(host: Host, making: Making, kubernetesVersion: string, watch: WatchRegistry): Promise<Made> {
  const { request, supply, journal, deadline } = making
  const { folder, kubeconfig, logsPath } = journal.state
  await raiseLowLimits(host, journal)
  const made = await createKindCluster(makingHost(host, request.name), {
    request,
    supply,
    kubernetesVersion,
    folder,
    kubeconfig,
    logsPath,
    deadline,
    record: async (facts) => {
      await journal.update(facts)
      if (facts.registry !== undefined) watch(facts.registry)
    },
  })
  await journal.update(async () => {
    const neighbours = (await listStates(host)).filter((state) => state.name !== request.name)
    const taken = neighbours.flatMap((state) => state.loadBalancerRange ?? [])
    const range = made.subnet === undefined ? undefined : loadBalancerRange(made.subnet, taken)
    return { hostPorts: made.hostPorts, ...(range === undefined ? {} : { loadBalancerRange: range }) }
  })
  return { ...made, reused: false, startedAgain: false }
}
