import { randomUUID } from 'node:crypto'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { refOf } from '../../../src/kubernetes/objects.ts'
import { waitFor } from '../../../src/process/wait.ts'
import { type DrillResult, dialList, linesOf, readyPod } from './first-packet.ts'
import { hostNamespace, namespaces } from './fixture.ts'
import { isReady, type PolicyLab, podKind } from './lab.ts'
import { programPod } from './manifests.ts'
import { deleteAll, networkPolicy } from './play.ts'
import type { DialLine } from './pod-program.ts'

const agentScope = { namespace: 'kube-system', labelSelector: 'app.kubernetes.io/name=node-network' }
const restartMs = 120_000
const countedMs = 20_000
const everyMs = 25
/** Dials wanted after the agent is back. */
const afterwards = 40

/** Under default deny a new pod gets Ready: its probe comes from its own node's kubelet. */
export async function ownNodeProbePasses(lab: PolicyLab): Promise<DrillResult> {
  const policy = networkPolicy(
    lab,
    { namespace: 'z', spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] } },
    'probe-deny',
  )
  const pod = programPod({
    namespace: namespaces.z.name,
    name: `probed-${randomUUID().slice(0, 8)}`,
    node: lab.nodes['node1'] ?? '',
    environment: { SERVE: '8080/TCP' },
    readyPort: 8080,
  })
  try {
    await lab.kubernetes.apply(policy)
    await lab.kubernetes.apply(pod)
    const ready = await readyPod(lab, pod)
    return { held: isReady(ready), seen: `Ready as ${ready['status'].podIP}` }
  } finally {
    await deleteAll(lab, [refOf(pod), refOf(policy)])
  }
}

/** The agent's pods of both nodes deleted under traffic: every denied dial stays denied, every allowed one passes, the open connection stays open. */
export async function agentRestartedUnderTraffic(lab: PolicyLab): Promise<DrillResult> {
  const policy = networkPolicy(
    lab,
    {
      namespace: 'x',
      spec: {
        podSelector: { matchLabels: { app: 'a' } },
        policyTypes: ['Ingress'],
        ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 8080 }] }],
      },
    },
    'restart',
  )
  const address = lab.addresses.get('x/a')
  const pod = programPod({
    namespace: namespaces.y.name,
    name: 'restart-traffic',
    node: lab.nodes['node2'] ?? '',
    environment: {
      DIAL: `allowed=${address}:8080,denied=${address}:8081`,
      HOLD: `held=${address}:8080`,
      EVERY_MS: String(everyMs),
    },
  })
  try {
    await lab.kubernetes.apply(policy)
    await lab.kubernetes.apply(pod)
    await linesOf(lab, pod, 'traffic as the policy says', (lines) => isSettled(lines))
    const began = Date.now()
    await restartAgents(lab)
    const back = Date.now()
    const since = (lines: readonly DialLine[], target: string): DialLine[] =>
      lines.filter((line) => line.target === target && line.at >= began)
    const lines = await linesOf(lab, pod, 'traffic after the restart', (all) =>
      ['allowed', 'denied', 'held'].every(
        (target) => since(all, target).filter(({ at }) => at > back).length >= afterwards,
      ),
    )
    const wrong = [
      ...since(lines, 'allowed').filter(({ dial }) => dial !== 'connected'),
      ...since(lines, 'denied').filter(({ dial }) => dial !== 'timeout'),
      ...since(lines, 'held').filter(({ dial }) => dial !== 'echo'),
    ]
    const count = (target: string): number => since(lines, target).length
    return {
      held: wrong.length === 0,
      seen: `agents back after ${back - began} ms; ${count('allowed')} allowed and ${count('denied')} denied dials, ${count('held')} echoes; ${wrong.length} went wrong${wrong.length === 0 ? '' : `, the first ${JSON.stringify(wrong[0])}`}`,
    }
  } finally {
    await deleteAll(lab, [refOf(pod), refOf(policy)])
  }
}

function isSettled(lines: readonly DialLine[]): boolean {
  const last = (target: string): string | undefined => lines.findLast((line) => line.target === target)?.dial
  return last('allowed') === 'connected' && last('denied') === 'timeout' && last('held') === 'echo'
}

/** A connection that was open before a policy forbids it goes on; a new one of the same kind does not come about; the agent tells of it. */
export async function establishedFlowKept(lab: PolicyLab): Promise<DrillResult> {
  const policy = networkPolicy(
    lab,
    { namespace: 'x', spec: { podSelector: {}, policyTypes: ['Ingress'] } },
    'established',
  )
  const pod = programPod({
    namespace: namespaces.y.name,
    name: 'established-traffic',
    node: lab.nodes['node2'] ?? '',
    environment: {
      DIAL: dialList(lab, { 'x/a': 8080 }),
      HOLD: `held=${lab.addresses.get('x/a')}:8080`,
      EVERY_MS: String(everyMs),
    },
  })
  try {
    await lab.kubernetes.apply(pod)
    await linesOf(lab, pod, 'an open connection', (lines) => lines.some(({ dial }) => dial === 'echo'))
    await lab.kubernetes.apply(policy)
    const denied = (lines: readonly DialLine[]): DialLine | undefined => lines.find(({ dial }) => dial === 'timeout')
    const echoesAfter = (lines: readonly DialLine[]): number =>
      lines.filter(({ dial, at }) => dial === 'echo' && at > (denied(lines)?.at ?? Number.POSITIVE_INFINITY)).length
    const lines = await linesOf(
      lab,
      pod,
      'new connections denied, the open one kept',
      (all) => echoesAfter(all) >= afterwards || all.some(({ dial }) => dial === 'lost'),
    )
    const lost = lines.some(({ dial }) => dial === 'lost')
    const counted = await keptConnections(lab)
    return {
      held: !lost && counted > 0,
      seen: `${echoesAfter(lines)} echoes after the first denied dial${lost ? ', then lost' : ''}; the agent counts ${counted}`,
    }
  } finally {
    await deleteAll(lab, [refOf(pod), refOf(policy)])
  }
}

/** How many connections the agent of x/a's node says it keeps that no policy would allow now; waits for there to be one. */
async function keptConnections(lab: PolicyLab): Promise<number> {
  const program = "fetch('http://127.0.0.1:10271/metrics').then((answer) => answer.text()).then(console.log)"
  const read = async (): Promise<number> => {
    const { stdout } = await lab.kubernetes.exec({
      namespace: hostNamespace,
      pod: 'node1',
      command: ['node', '--eval', program],
      timeoutMs: 10_000,
    })
    return Number(/^node_network_policy_established_denied (\d+)/m.exec(stdout)?.[1] ?? Number.NaN)
  }
  return waitFor(lab.host, 'the agent to count the open connection', read, {
    done: (count) => count > 0,
    explain: (count) => `${count} counted`,
    timeoutMs: countedMs,
  })
}

/** Deletes the agent's pods on both nodes and resolves when new ones are Ready. */
async function restartAgents(lab: PolicyLab): Promise<void> {
  const nodes = Object.values(lab.nodes)
  const ours = (all: readonly KubeObject[]): KubeObject[] => all.filter((pod) => nodes.includes(pod['spec'].nodeName))
  const old = ours(await lab.kubernetes.list(podKind, agentScope))
  if (old.length !== nodes.length) throw new Error(`${old.length} agents on ${nodes.length} nodes`)
  await Promise.all(old.map((pod) => lab.kubernetes.delete(refOf(pod))))
  const gone = new Set(old.map((pod) => pod.metadata.uid))
  const fresh = (all: readonly KubeObject[]): KubeObject[] =>
    ours(all).filter((pod) => !gone.has(pod.metadata.uid) && isReady(pod))
  await lab.kubernetes.until('the agents back', podKind, agentScope, {
    timeoutMs: restartMs,
    done: (all) => fresh(all).length === nodes.length && ours(all).length === nodes.length,
    explain: (all) => `${fresh(all).length} of ${nodes.length} new ones Ready`,
  })
}
