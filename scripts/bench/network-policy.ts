import { readFile } from 'node:fs/promises'
import type { Kubernetes } from '../../src/kubernetes/client.ts'
import type { KubeObject } from '../../src/kubernetes/objects.ts'
import type { Host } from '../../src/process/host.ts'
import { formatSeconds, waitFor } from '../../src/process/wait.ts'
import {
  namespaceName,
  namespaces,
  nodes,
  pod,
  podCount,
  policy,
  policyCount,
  thisNode,
} from './network-policy-objects.ts'
import { type FakePlane, startFakePlane } from './network-policy-plane.ts'
import { type BenchResult, boundedRow } from './result.ts'
import { median, medianAndSpread } from './statistics.ts'

const changes = 20
const settleMs = 300_000
/** A change that takes longer is no figure but a failure. */
const changeMs = 30_000
const memoryLimit = 100
const changeLimit = 1_000
const megabyte = 1_000_000
const podKind = { apiVersion: 'v1', kind: 'Pod' } as const

/**
 * The network policy of one node in a cluster of 1,000 pods and 500 policies: the agent's memory, and the time from asking the API for a change until the
 * kernel tells that it has it.
 */
export async function benchNetworkPolicy(host: Host): Promise<BenchResult> {
  const plane = await startFakePlane(host)
  try {
    await fill(host, plane.kubernetes)
    const started = performance.now()
    const agent = await plane.startAgent(thisNode)
    const metrics = await waitFor(host, 'the agent', () => plane.agentMetrics(), {
      done: (text) => /^node_network_policy_ready 1$/m.test(text),
      explain: () => 'node_network_policy_ready is not 1',
      timeoutMs: settleMs,
    })
    const readyMs = performance.now() - started
    const isolated = Number(/^node_network_policy_isolated_addresses\{direction="ingress"\} (\d+)$/m.exec(metrics)?.[1])
    if (!(isolated > 0)) throw new Error('no pod of the node is isolated: there is nothing to measure')
    const settled = await memoryOf(agent.pid ?? 0)
    const policies: number[] = []
    const labels: number[] = []
    const peers = await peersElsewhere(plane.kubernetes)
    await createPeerPolicy(plane)
    for (let i = 0; i < changes / 2; i++) {
      policies.push(await createPolicy(plane, i))
      labels.push(await labelPeer(plane, peers[i]))
    }
    const after = await memoryOf(agent.pid ?? 0)
    const all = [...policies, ...labels]
    return {
      name: `network policy on one node, ${podCount} pods and ${policyCount} policies`,
      rows: [
        { what: 'pods of the node that policies isolate', value: isolated, unit: 'pods' },
        { what: 'start of the agent until all of it is in the kernel', value: readyMs, unit: 'ms' },
        boundedRow('memory (RSS) when settled', settled.now, 'MB', memoryLimit),
        boundedRow(`memory (RSS) after ${changes} changes`, after.now, 'MB', memoryLimit),
        boundedRow('most memory it ever had', after.peak, 'MB', memoryLimit),
        {
          what: `policy created until in the kernel, ${medianAndSpread(policies)}`,
          value: median(policies),
          unit: 'ms',
        },
        { what: `pod labelled until in the kernel, ${medianAndSpread(labels)}`, value: median(labels), unit: 'ms' },
        boundedRow(`the slowest of ${changes} changes`, Math.max(...all), 'ms', changeLimit),
      ],
    }
  } finally {
    await plane.remove()
  }
}

/** Nodes first: kwok gives pods addresses out of their ranges. */
async function fill(host: Host, kubernetes: Kubernetes): Promise<void> {
  await createAll(kubernetes, [...nodes(), ...namespaces()])
  await createAll(
    kubernetes,
    Array.from({ length: podCount }, (_, i) => pod(i)),
  )
  await createAll(
    kubernetes,
    Array.from({ length: policyCount }, (_, i) => policy(i)),
  )
  const running = (pods: readonly KubeObject[]): number =>
    pods.filter((one) => one['status']?.phase === 'Running' && one['status'].podIP !== undefined).length
  await kubernetes.until(
    'fake pods',
    podKind,
    {},
    {
      timeoutMs: settleMs,
      done: (pods) => running(pods) === podCount,
      explain: (pods) => `${running(pods)} of ${podCount} run`,
    },
  )
  host.log.debug(`${podCount} pods run`)
}

async function createAll(kubernetes: Kubernetes, objects: readonly KubeObject[]): Promise<void> {
  const waiting = [...objects]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await kubernetes.create(next)
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

/** Pods of other nodes with addresses apart from each other: neighbours may be told as one range. */
async function peersElsewhere(kubernetes: Kubernetes): Promise<readonly KubeObject[]> {
  const pods = await kubernetes.list(podKind, { namespace: namespaceName(0) })
  const elsewhere = pods.filter((one) => one['spec'].nodeName !== thisNode)
  const found = elsewhere.filter((one) => Number((one['status'].podIP as string).split('.').at(-1)) % 3 === 0)
  if (found.length < changes / 2) throw new Error(`only ${found.length} pods to label`)
  return found
}

/** What a label of a pod on another node changes on this one: who may reach a pod here. */
async function createPeerPolicy(plane: FakePlane): Promise<void> {
  await plane.kubernetes.create({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'peers', namespace: namespaceName(0) },
    spec: {
      podSelector: {},
      ingress: [{ from: [{ podSelector: { matchLabels: { peer: 'yes' } } }], ports: [{ port: 7 }] }],
    },
  })
}

async function createPolicy(plane: FakePlane, i: number): Promise<number> {
  const address = `203.0.113.${2 * i + 1}`
  return timed(plane, address, () =>
    plane.kubernetes.create({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `change-${i}`, namespace: namespaceName(1 + i) },
      spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: `${address}/32` } }] }] },
    }),
  )
}

async function labelPeer(plane: FakePlane, peer: KubeObject | undefined): Promise<number> {
  if (peer === undefined) throw new Error('no pod to label')
  const { name, namespace = '' } = peer.metadata
  return timed(plane, peer['status'].podIP, () =>
    plane.kubernetes.patch({ ...podKind, name, namespace }, { metadata: { labels: { peer: 'yes' } } }),
  )
}

/** Milliseconds from asking for the change until the kernel tells of an element or rule with the address. */
async function timed(plane: FakePlane, address: string, change: () => Promise<unknown>): Promise<number> {
  const pattern = new RegExp(`^add (element|rule) .*\\b${address.replaceAll('.', '\\.')}\\b`)
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const timer = setTimeout(
    () => reject(new Error(`the kernel has no rule for ${address} after ${formatSeconds(changeMs)}`)),
    changeMs,
  )
  const started = performance.now()
  plane.onRules((line) => {
    if (pattern.test(line)) resolve(performance.now() - started)
  })
  try {
    await change()
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

/** Resident memory of a process, now and at its most. */
async function memoryOf(pid: number): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const read = (field: string): number => {
    const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
    return (Number(kilobytes) * 1024) / megabyte
  }
  return { now: read('VmRSS'), peak: read('VmHWM') }
}
