import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kubernetes } from '../kubernetes/client.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import { UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { supportedArchitecture } from '../tools/platform.ts'
import type { ToolCache } from '../tools/tool-cache.ts'
import { advertiseHostPorts, advertiseRegistry } from './advertise.ts'
import { claimCluster } from './claim.ts'
import { contextOf } from './cluster-name.ts'
import { diskFull, explainFailure } from './creation-failure.ts'
import { passGate } from './gate.ts'
import type { ImageSupply, SupplyContext } from './image-supply.ts'
import { limitsToRaise, type RaisedLimits, raiseLimits } from './inotify.ts'
import { createKindCluster, type KindCluster } from './kind.ts'
import { installKubectl } from './kubectl.ts'
import { resolveKubernetesVersion, versionOfNodeImage } from './kubernetes-version.ts'
import { loadBalancerRange } from './load-balancer-range.ts'
import { clusterNodes, startNodes } from './nodes.ts'
import { type ClusterOwner, identityOf, type ProcessIdentity } from './owner.ts'
import { preflight } from './preflight.ts'
import type { Cluster, ClusterRequest } from './provider.ts'
import { dnsImage } from './readiness-dns.ts'
import { registryAnswers } from './registry.ts'
import { type ClusterState, listStates, readState } from './state.ts'
import { StateJournal } from './state-journal.ts'
import { supplyFor } from './supply.ts'
import { withinTime } from './time-left.ts'
import { makingHost } from './unfinished-work.ts'

const registryMs = 5_000

export interface SetupOptions {
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
  /** Called as soon as there is an API to talk to, long before everything is ready; `imagesReady` settles when the local registry has been filled. */
  readonly onKubeconfig?: (kubeconfig: string, context: string, imagesReady: Promise<void>) => void | Promise<void>
}

export interface SetupResult extends Cluster {
  readonly logsPath: string
  /** True when the cluster was there already. */
  readonly reused: boolean
  /** Tries that the creation took; 0 when reused. */
  readonly attempts: number
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
  try {
    const made =
      present === undefined
        ? await create(host, request, supply, version, journal, deadline)
        : await reuse(host, request, supply, journal, deadline)
    return await finish(host, request, options, supply, made, journal, deadline)
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

/** What is known after the creation, or of a cluster that was there. */
type Made = Pick<KindCluster, 'published' | 'attempts' | 'kindPath' | 'kindVersion'> & { readonly reused: boolean }

async function create(
  host: Host,
  request: ClusterRequest,
  supply: ImageSupply,
  kubernetesVersion: string,
  journal: StateJournal,
  deadline: number,
): Promise<Made> {
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
    record: (facts) => journal.update(facts),
  })
  await journal.update(async () => {
    const neighbours = (await listStates(host)).filter((state) => state.name !== request.name)
    const taken = neighbours.flatMap((state) => state.loadBalancerRange ?? [])
    const range = made.subnet === undefined ? undefined : loadBalancerRange(made.subnet, taken)
    return { hostPorts: made.hostPorts, ...(range === undefined ? {} : { loadBalancerRange: range }) }
  })
  return { ...made, reused: false }
}

/** Recorded first, so that a kill in between leaves nothing raised. What an earlier run recorded is the true value of before. */
async function raiseLowLimits(host: Host, journal: StateJournal): Promise<void> {
  let low: RaisedLimits = {}
  // Not while another run, the last but for us, puts them back.
  await journal.update(async ({ raisedLimits }) => {
    low = await limitsToRaise()
    return Object.keys(low).length === 0 ? {} : { raisedLimits: { ...low, ...raisedLimits } }
  })
  await raiseLimits(host, low)
}

async function reuse(
  host: Host,
  request: ClusterRequest,
  supply: ImageSupply,
  journal: StateJournal,
  deadline: number,
): Promise<Made> {
  const present = journal.state
  host.log.info(`cluster ${present.name} is there already, made at ${present.createdAt}; checking that it is ready`)
  const tool = await host.timings.phase('tools', () =>
    withinTime(host, deadline, 'kind', (bounded) => supply.tool(bounded, 'kind', request.providerVersion ?? '')),
  )
  // Neither the kernel's limits nor its packet filter outlive a reboot: nodes start only where both are as they were when the cluster was made.
  await raiseLowLimits(host, journal)
  await host.timings.phase('network', () => supply.network(host))
  await host.timings.phase('start nodes', () => startNodes(host, present.name, deadline - host.clock.monotonic()))
  const { registry } = present
  const published =
    registry === undefined
      ? Promise.resolve()
      : host.timings.phase('publish images', () => supply.publish(host, registry))
  published.catch(() => {})
  return { kindPath: tool.path, kindVersion: tool.version, published, attempts: 0, reused: true }
}

async function finish(
  host: Host,
  request: ClusterRequest,
  options: SetupOptions,
  supply: ImageSupply,
  made: Made,
  journal: StateJournal,
  deadline: number,
): Promise<SetupResult> {
  const { kubeconfig, context, name } = journal.state
  host.log.debug(`cluster ${name} has a kubeconfig`)
  const kubernetes = await createKubernetes(host, { kubeconfig, context })
  // Whoever is told of the API may ask at once for host ports and registry.
  const kubernetesVersion = await serverFacts(kubernetes, journal.state)
  await options.onKubeconfig?.(kubeconfig, context, made.published)
  const nodes = await clusterNodes(host, name, journal.state.network?.name ?? 'kind')
  const ready = passGate(host, journal.state, {
    nodes: nodes.map((node) => node.name),
    waitFor: request.waitFor,
    timeoutMs: deadline - host.clock.monotonic(),
    dnsImage,
    imagesReady: made.published,
  })
  const [gate, published] = await Promise.allSettled([ready, made.published])
  for (const result of [gate, published]) if (result.status === 'rejected') throw result.reason
  // Its images may all have been there: nothing has needed it since it started.
  if (journal.state.registry !== undefined) await registryAnswers(host, journal.state.registry.port, registryMs)
  const kubectl = await host.timings.phase('kubectl', () =>
    installKubectl(host, supply, request.kubectlVersion, kubernetesVersion),
  )
  await journal.update({
    phase: 'ready',
    kubernetesVersion,
    tools: {
      ...journal.state.tools,
      ...(kubectl === undefined ? {} : { kubectl: { version: kubectl.version, path: kubectl.path } }),
    },
  })
  const { registry, loadBalancerRange: range, hostPorts, logsPath } = journal.state
  return {
    name,
    provider: 'kind',
    kubeconfig,
    context,
    kubernetesVersion,
    providerVersion: made.kindVersion,
    nodes,
    hostPorts,
    logsPath,
    reused: made.reused,
    attempts: made.attempts,
    tools: { kind: made.kindPath, ...(kubectl === undefined ? {} : { kubectl: kubectl.path }) },
    ...(registry === undefined ? {} : { registry: `127.0.0.1:${registry.port}` }),
    ...(range === undefined ? {} : { loadBalancerRange: range }),
  }
}

/** Asks for the version and leaves our ConfigMaps; needs nothing but the API. */
async function serverFacts(kubernetes: Kubernetes, state: ClusterState): Promise<string> {
  await Promise.all([
    advertiseHostPorts(kubernetes, state.hostPorts),
    state.registry === undefined ? undefined : advertiseRegistry(kubernetes, state.name, state.registry.port),
  ])
  const version = JSON.parse(await kubernetes.raw('/version')) as { readonly gitVersion: string }
  return version.gitVersion.replace(/^v/, '')
}

function initialState(
  host: Host,
  request: ClusterRequest,
  options: SetupOptions,
  version: string,
  key: string,
  maker: ProcessIdentity,
): ClusterState & { readonly maker: ProcessIdentity } {
  const folder = options.folder ?? join(host.paths.temp, request.name)
  const now = host.clock.now().toISOString()
  return {
    schema: 1,
    name: request.name,
    provider: 'kind',
    phase: 'creating',
    owner: options.owner,
    maker,
    imageSource: request.imageSource,
    kubernetesVersion: version,
    tools: {},
    kubeconfig: join(folder, 'kubeconfig'),
    context: contextOf(request.name),
    folder,
    logsPath: join(folder, 'logs'),
    hostPorts: {},
    requestKey: key,
    createdAt: now,
    updatedAt: now,
  }
}

/** Two requests with the same key make the same cluster. How long to wait for it is not part of that. */
export async function requestKey(request: ClusterRequest, version: string): Promise<string> {
  const { timeoutMs: _timeout, waitFor: _waitFor, kubectlVersion: _kubectl, config, ...shape } = request
  const text = config === undefined ? '' : await readFile(config, 'utf8')
  return createHash('sha256')
    .update(JSON.stringify({ ...shape, kubernetesVersion: version, config: text }))
    .digest('hex')
    .slice(0, 16)
}
