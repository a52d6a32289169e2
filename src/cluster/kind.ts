import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { configPorts } from './config-ports.ts'
import { connectNetwork, kindClusterLabel, listContainers, networkSubnet } from './docker.ts'
import { freeHostPorts, mappedNodePorts } from './host-ports.ts'
import type { ImageSupply } from './image-supply.ts'
import { createArgs, kindEnv } from './kind-command.ts'
import { type GeneratedKindConfig, kindConfig } from './kind-config.ts'
import { containerNames } from './kind-nodes.ts'
import { clearForRetry } from './kind-retry.ts'
import { hostsFiles } from './mirrors.ts'
import { writeMirrors } from './node-mirrors.ts'
import type { ClusterRequest } from './provider.ts'
import { type LocalRegistry, registryContainer, registryInNetwork, startRegistry } from './registry.ts'
import { outOfTime, timeLeft, withinTime } from './time-left.ts'

export interface KindPlan {
  readonly request: ClusterRequest
  readonly supply: ImageSupply
  readonly kubernetesVersion: string
  /** The cluster's own folder: mirrors, config, logs of failed tries. */
  readonly folder: string
  readonly kubeconfig: string
  readonly logsPath: string
  readonly deadline: number
  /** Called before each step that creates something, with what a later clean-up must know. */
  readonly record: (facts: KindFacts) => Promise<void>
}

/** What the time may run out in. */
export const publishing = 'publishing images into the local registry'

/** What becomes known on the way. */
export interface KindFacts {
  readonly nodeImage?: string
  readonly tools?: Readonly<Record<string, { readonly version: string; readonly path: string }>>
  readonly hostPorts?: Readonly<Record<string, string>>
  readonly containers?: readonly string[]
  readonly registry?: { readonly container: string; readonly port: number }
  readonly network?: { readonly name: string; readonly created: boolean; readonly sealed: boolean }
}

export interface KindCluster {
  readonly kindVersion: string
  readonly kindPath: string
  readonly hostPorts: Readonly<Record<string, string>>
  readonly registry: LocalRegistry | undefined
  readonly network: string
  readonly subnet: string | undefined
  /** Tries it took. */
  readonly attempts: number
  /** Still running: filling the registry. Everything that pulls our images waits for it. */
  readonly published: Promise<void>
}

/** Everything up to a control plane that answers; the readiness gate comes after. */
export async function createKindCluster(host: Host, plan: KindPlan): Promise<KindCluster> {
  const { supply, request } = plan
  const { timings } = host
  const [tool, nodeImage, network] = await Promise.all([
    timings.phase('tools', () =>
      withinTime(host, plan.deadline, 'kind', (bounded) => supply.tool(bounded, 'kind', request.providerVersion ?? '')),
    ),
    timings.phase('node image', () =>
      withinTime(host, plan.deadline, 'the node image', (bounded) => supply.nodeImage(bounded, plan.kubernetesVersion)),
    ),
    timings.phase('network', () =>
      withinTime(host, plan.deadline, 'the network', (bounded) => supply.network(bounded)),
    ),
  ])
  host.log.info(`kind ${tool.version} from ${tool.from}; node image ${nodeImage}; network ${network.name}`)
  await plan.record({
    nodeImage,
    tools: { kind: { version: tool.version, path: tool.path } },
    network: { name: network.name, created: !network.exists, sealed: supply.sealed },
    containers: [registryContainer(request.name)],
  })
  // Both run beside the boot; a failure is reported where the images are first needed, or at the end.
  const registry = timings.phase('registry', () => localRegistry(host, plan, network))
  const published = registry.then(async (started) => {
    if (started === undefined) return
    await timings.phase('publish images', () =>
      withinTime(host, plan.deadline, publishing, (bounded) => supply.publish(bounded, started)),
    )
  })
  // Without its images the cluster cannot become what was asked for: what is left of the boot is not waited for.
  const stop = new AbortController()
  published.catch((error: unknown) => stop.abort(error))
  const run = {
    kind: tool.path,
    nodeImage,
    network: network.name,
    joinLater: !network.exists,
    registry,
    signal: stop.signal,
  }
  try {
    const { hostPorts, attempts } = await createNodes(host, plan, run, published)
    return {
      kindVersion: tool.version,
      kindPath: tool.path,
      hostPorts,
      registry: await registry,
      network: network.name,
      subnet: await networkSubnet(host, network.name),
      attempts,
      published,
    }
  } finally {
    // A container that came after the clean-up of a failure would stay.
    await Promise.allSettled([registry])
  }
}

/** Runs kind, again where what it failed with is known to pass. */
async function createNodes(
  host: Host,
  plan: KindPlan,
  run: Omit<KindRun, 'config'>,
  published: Promise<void>,
): Promise<{ readonly hostPorts: Readonly<Record<string, string>>; readonly attempts: number }> {
  const { request } = plan
  const asked = (await configPorts(request.config)).map(({ port }) => port)
  let first: unknown
  for (let attempt = 1; ; attempt++) {
    const config = await generateConfig(host, plan)
    const nodes = containerNames(request.name, config.config.nodes)
    await plan.record({ hostPorts: config.hostPorts, containers: [registryContainer(request.name), ...nodes] })
    try {
      await host.timings.phase(attempt === 1 ? 'kind create' : `kind create, try ${attempt}`, () =>
        runKind(host, plan, { ...run, config }),
      )
      return { hostPorts: config.hostPorts, attempts: attempt }
    } catch (error) {
      // Where the time is over for both, it is the images that were missing.
      if (timeLeft(host, plan.deadline) === 0) await Promise.allSettled([published])
      if (run.signal.aborted) throw run.signal.reason
      await clearForRetry(host, plan, { error, attempt, first, kind: run.kind, askedPorts: asked })
      first ??= error
    }
  }
}

async function localRegistry(
  host: Host,
  plan: KindPlan,
  network: { readonly name: string; readonly exists: boolean },
): Promise<LocalRegistry | undefined> {
  const { request, supply } = plan
  if (!request.registry && !supply.sealed) return undefined
  const image = await withinTime(host, plan.deadline, "the registry's image", (bounded) =>
    supply.registryImage(bounded),
  )
  const start = (): Promise<LocalRegistry> =>
    withinTime(host, plan.deadline, 'the local registry', (bounded) =>
      startRegistry(bounded, {
        cluster: request.name,
        network: network.exists ? network.name : undefined,
        image,
        runArgs: supply.registryRunArgs,
        ...(request.registryPort === undefined ? {} : { port: request.registryPort }),
        ...(supply.registryStorage === undefined ? {} : { storage: supply.registryStorage(host) }),
      }),
    )
  const registry = await start().catch(async (error: unknown) => {
    if (!(error instanceof CommandError && /network \S+ not found/i.test(error.stderr))) throw error
    // A neighbour left the network as its last member between our look and our joining it.
    await withinTime(host, plan.deadline, 'the network', (bounded) => supply.network(bounded))
    return await start()
  })
  await plan.record({ registry })
  return registry
}

async function generateConfig(host: Host, plan: KindPlan): Promise<GeneratedKindConfig> {
  const { request } = plan
  const ports = await freeHostPorts(mappedNodePorts.length)
  const generated = kindConfig({
    nodes: request.nodes,
    nodesDefaulted: request.nodesDefaulted ?? false,
    hostPorts: new Map(mappedNodePorts.map((nodePort, index) => [nodePort, ports[index] ?? 0])),
    ...(request.config === undefined
      ? {}
      : { user: { path: request.config, text: await readFile(request.config, 'utf8') } }),
  })
  if (generated.ignoredName !== undefined && generated.ignoredName !== request.name) {
    host.log.info(
      `the config's name ${JSON.stringify(generated.ignoredName)} gives way to the cluster name ${request.name}`,
    )
  }
  await mkdir(plan.folder, { recursive: true, mode: 0o700 })
  await writeFile(join(plan.folder, 'kind-config.yaml'), generated.yaml)
  return generated
}

interface KindRun {
  readonly kind: string
  readonly nodeImage: string
  readonly network: string
  /** The network comes with the nodes, so the registry joins it then. */
  readonly joinLater: boolean
  readonly config: GeneratedKindConfig
  readonly registry: Promise<LocalRegistry | undefined>
  /** Ends kind, with why there is no use in going on. */
  readonly signal: AbortSignal
}

async function runKind(host: Host, plan: KindPlan, run: KindRun): Promise<void> {
  const { request, supply } = plan
  // The kubeconfig holds a client key: the file exists with its mode before kind writes into it.
  await writeFile(plan.kubeconfig, '', { mode: 0o600 })
  await chmod(plan.kubeconfig, 0o600)
  const configureNodes = async (): Promise<void> => {
    const [registry, containers] = await Promise.all([
      run.registry,
      listContainers(host, `${kindClusterLabel}=${request.name}`),
    ])
    if (registry !== undefined && run.joinLater) await connectNetwork(host, run.network, registry.container)
    const files = hostsFiles({
      ...(registry === undefined ? {} : { registry: registryInNetwork(request.name), registryPort: registry.port }),
      upstream: supply.mirrors,
      sealed: supply.sealed,
    })
    const nodes = containers
      .filter((container) => container.role !== 'external-load-balancer')
      .map((container) => container.name)
    await writeMirrors(host, nodes, files, plan.folder)
  }
  // Nodes are up while kubeadm still works on them: the mirrors are written meanwhile, before the first pull.
  let configured: Promise<void> | undefined
  const left = timeLeft(host, plan.deadline)
  if (left === 0) throw outOfTime('no time left to create the cluster')
  // What it writes goes with the cluster's folder.
  const inFolder = { ...host, paths: { ...host.paths, temp: plan.folder } }
  await host.exec.run(
    run.kind,
    createArgs({ name: request.name, image: run.nodeImage, kubeconfig: plan.kubeconfig, extraArgs: request.extraArgs }),
    {
      env: kindEnv((await supply.kindEnvironment?.(inFolder)) ?? host.env, run.network),
      input: run.config.yaml,
      timeoutMs: left,
      signal: run.signal,
      onLine: (line) => {
        host.log.debug(line)
        if (line.includes('•') || line.includes('✓')) host.log.progress(`kind: ${line.replace(/^[\s•✓]+/u, '').trim()}`)
        if (line.includes('✓ Preparing nodes')) {
          configured = configureNodes()
          configured.catch(() => {})
        }
      },
    },
  )
  await (configured ?? configureNodes())
  await chmod(plan.kubeconfig, 0o600)
}
