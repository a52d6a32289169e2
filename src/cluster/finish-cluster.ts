import type { Kubernetes } from '../kubernetes/client.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import type { Host } from '../process/host.ts'
import { advertiseHostPorts, advertiseRegistry } from './advertise.ts'
import { passGate } from './gate.ts'
import { installKubectl } from './kubectl.ts'
import type { Made, Making } from './making.ts'
import { clusterNodes } from './nodes.ts'
import type { Cluster, NodeInfo } from './provider.ts'
import { apiReady } from './readiness.ts'
import { type AskDns, dnsImage } from './readiness-dns.ts'
import { registryAnswers } from './registry.ts'
import type { ClusterState } from './state.ts'
import { withinTime } from './time-left.ts'

const registryMs = 5_000

/** A cluster as soon as there is an API to talk to, long before everything is ready. */
export interface EarlyCluster {
  readonly kubeconfig: string
  readonly context: string
  /** Settles when the local registry has been filled. */
  readonly imagesReady: Promise<void>
  /** True when the cluster was there already. */
  readonly reused: boolean
}

export type OnKubeconfig = (cluster: EarlyCluster) => void | Promise<void>

export interface FinishHooks {
  readonly onKubeconfig?: OnKubeconfig
  /** How cluster DNS is asked; default is from pods of the gate's own. */
  readonly askDns?: AskDns
  /** Called when all but DNS is known to be ready; not after nodes had to be started again. */
  readonly onAllButDns?: (nodes: readonly NodeInfo[]) => void
}

export interface SetupResult extends Cluster {
  readonly logsPath: string
  /** True when the cluster was there already. */
  readonly reused: boolean
  /** Tries that the creation took; 0 when reused. */
  readonly attempts: number
}

/** From an API that answers to a cluster that is really ready, and on record as such. */
export async function finishCluster(
  host: Host,
  { request, supply, journal, deadline }: Making,
  made: Made,
  hooks: FinishHooks,
): Promise<SetupResult> {
  const { kubeconfig, context, name } = journal.state
  host.log.debug(`cluster ${name} has a kubeconfig`)
  const kubernetes = await createKubernetes(host, { kubeconfig, context })
  // Nodes that were just started again, as after a reboot, refuse connections for some seconds.
  await apiReady(host, kubernetes, Math.max(1, deadline - host.clock.monotonic()))
  // Whoever is told of the API may ask at once for host ports and registry.
  const kubernetesVersion = await serverFacts(kubernetes, journal.state)
  await hooks.onKubeconfig?.({ kubeconfig, context, imagesReady: made.published, reused: made.reused })
  const nodes = await withinTime(host, deadline, 'the list of nodes', (bounded) =>
    clusterNodes(bounded, name, journal.state.network?.name ?? 'kind'),
  )
  const ready = passGate(host, journal.state, {
    nodes: nodes.map((node) => node.name),
    waitFor: request.waitFor,
    timeoutMs: deadline - host.clock.monotonic(),
    dnsImage,
    askDns: hooks.askDns,
    onAllButDns: () => {
      if (!made.startedAgain) hooks.onAllButDns?.(nodes)
    },
    imagesReady: made.published,
  })
  const [gate, published] = await Promise.allSettled([ready, made.published])
  for (const result of [gate, published]) if (result.status === 'rejected') throw result.reason
  // Its images may all have been there: nothing has needed it since it started.
  if (journal.state.registry !== undefined) await registryAnswers(host, journal.state.registry.port, registryMs)
  const kubectl = await host.timings.phase('kubectl', () =>
    installKubectl(host, supply, request.kubectlVersion, kubernetesVersion, deadline),
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
