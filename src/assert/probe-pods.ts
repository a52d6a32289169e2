import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { isReady } from '../kubernetes/conditions.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { InconclusiveError } from './engine.ts'
import { explainPod, isPodReady } from './explain-pod.ts'
import { createBatcher, type ProbeRunner } from './probe-batch.ts'
import {
  externalNameService,
  ownedBy,
  type ProbeServices,
  type ProbeSetup,
  probeAccount,
  probeName,
  probeNamespace,
  probePod,
  probeScript,
  probeServices,
  routedServices,
  runLabel,
} from './probe-manifests.ts'
import { batchesCommand } from './probe-script.ts'
import { streamedDelivery } from './probe-stream.ts'

export const defaultProbeImage = 'docker.io/library/node:24-bookworm-slim'

/** A probe pod that runs and has told who it is. */
export interface Probe extends ProbeRunner {
  readonly pod: string
  readonly node: string
  readonly ip: string
}

export interface Fleet {
  readonly namespace: string
  readonly services: ProbeServices
  /** Last part of every Service's name, `cluster.local` nearly everywhere. */
  readonly clusterDomain: string
  /** Nameservers of the pods' resolv.conf. */
  readonly nameservers: readonly string[]
  readonly probes: readonly Probe[]
  /** Nodes no probe answered on, with the reason. */
  readonly missing: readonly { readonly node: string; readonly reason: string }[]
}

export interface FleetOptions {
  readonly kubernetes: Kubernetes
  readonly setup: ProbeSetup
  /** How long pods on Ready nodes may take, the image pull included. */
  readonly timeoutMs: number
  /** Ends the programs that answer in the pods. */
  readonly end: AbortSignal
}

const podKind = { apiVersion: 'v1', kind: 'Pod' } as const

/**
 * Starts one probe pod per node and waits, by watch, for those on Ready nodes. Nodes that are not Ready get a pod too but are not
 * waited for: their absence is a finding of R1, and the other nodes' checks go on without them.
 */
export async function startFleet(host: Host, options: FleetOptions): Promise<Fleet> {
  const { kubernetes, setup } = options
  const { namespace } = setup
  const nodes = await kubernetes.list({ apiVersion: 'v1', kind: 'Node' })
  if (nodes.length === 0) throw new InconclusiveError('the cluster has no nodes')
  const own = await prepare(kubernetes, setup)
  const planned = nodes.map((node, i) => ({
    pod: `${probeName(setup)}-${i}`,
    node: node.metadata.name,
    ready: isReady(node),
  }))
  await Promise.all(planned.map(({ pod, node }) => kubernetes.apply(own(probePod(setup, pod, node)))))

  const scope = { namespace, labelSelector: `${runLabel}=${setup.nonce}` }
  const awaited = planned.filter((entry) => entry.ready)
  const find = (pods: readonly KubeObject[], name: string): KubeObject | undefined =>
    pods.find((pod) => pod.metadata.name === name)
  const unready = (pods: readonly KubeObject[]): string[] =>
    awaited.flatMap(({ pod, node }) => {
      const found = find(pods, pod)
      if (found !== undefined && isPodReady(found)) return []
      return [`probe pod on ${node}: ${found === undefined ? 'not there' : explainPod(found)}`]
    })
  let pods: readonly KubeObject[]
  try {
    pods = await kubernetes.until('probe pods', podKind, scope, {
      timeoutMs: options.timeoutMs,
      done: (seen) => unready(seen).length === 0,
      explain: (seen) => unready(seen).join('; '),
    })
  } catch (error) {
    if (error instanceof ApiError) throw error
    // Some pods may be fine, and each node's absence is told by its own reason.
    host.log.debug(messageOf(error))
    pods = await kubernetes.list(podKind, scope)
  }

  const probes: Probe[] = []
  const missing: { node: string; reason: string }[] = []
  let domain = 'cluster.local'
  let nameservers: readonly string[] = []
  await Promise.all(
    planned.map(async ({ pod, node, ready }) => {
      const found = find(pods, pod)
      if (found === undefined || !isPodReady(found)) {
        const why = found === undefined ? 'no probe pod' : explainPod(found)
        missing.push({ node, reason: ready ? why : `node is not Ready; probe pod: ${why}` })
        return
      }
      const program = {
        namespace,
        pod,
        container: 'probe',
        command: batchesCommand,
        timeoutMs: setup.activeSeconds * 1_000,
      }
      const deliver = streamedDelivery((streams) => kubernetes.exec({ ...program, ...streams }), options.end)
      const runner = createBatcher(host, `pod ${pod} on ${node}`, deliver)
      try {
        const [result] = await runner.run([{ kind: 'hello', id: 'hello', timeoutMs: 2_000 }])
        if (result?.hello?.node !== node) throw new InconclusiveError(`answered as on node "${result?.hello?.node}"`)
        const prefix = `${namespace}.svc.`
        const search = result.hello.search.find((entry) => entry.startsWith(prefix))
        if (search !== undefined) domain = search.slice(prefix.length)
        nameservers = result.hello.nameservers
        probes.push({ ...runner, pod, node, ip: found['status']?.podIP ?? '' })
      } catch (error) {
        // What we may not do on one node we may not do on any: that says nothing about the node.
        if (error instanceof ApiError) throw error
        missing.push({ node, reason: messageOf(error) })
      }
    }),
  )
  if (probes.length > 0) await kubernetes.apply(own(externalNameService(setup, domain)))
  const byNode = <T extends { node: string }>(list: T[]): T[] => list.sort((a, b) => a.node.localeCompare(b.node))
  const services = probeServices(probeName(setup))
  return { namespace, services, clusterDomain: domain, nameservers, probes: byNode(probes), missing: byNode(missing) }
}

/** Makes what the pods need; the function returned marks each further object as belonging to this run. */
async function prepare(kubernetes: Kubernetes, setup: ProbeSetup): Promise<(object: KubeObject) => KubeObject> {
  if (setup.ownNamespace) {
    await kubernetes.apply(probeNamespace(setup))
    const objects = [probeScript(setup), probeAccount(setup), ...routedServices(setup)]
    await Promise.all(objects.map((object) => kubernetes.apply(object)))
    return (object) => object
  }
  const owner = await kubernetes.apply(probeScript(setup))
  await Promise.all(routedServices(setup).map((object) => kubernetes.apply(ownedBy(object, owner))))
  return (object) => ownedBy(object, owner)
}
