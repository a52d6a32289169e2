import { randomUUID } from 'node:crypto'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { refOf } from '../../../src/kubernetes/objects.ts'
import { waitFor } from '../../../src/process/wait.ts'
import { namespaces } from './fixture.ts'
import { isReady, type PolicyLab, podKind } from './lab.ts'
import { programPod } from './manifests.ts'
import { deleteAll, networkPolicy } from './play.ts'
import type { DialLine } from './pod-program.ts'

/** How long a new pod is watched after it is Ready. */
const watchedDials = 40
const collectMs = 60_000
/** A port only the late server listens on. */
const serverPort = 7077
/** How many addresses beyond the last one given out are dialled: the late server gets one of them. */
const addressesAhead = 12

/** What a drill saw, and whether it held. */
export interface DrillResult {
  readonly held: boolean
  readonly seen: string
}

/**
 * A pod whose first act is to dial, in a loop: under a policy that lets it out to x/b only, nothing else may ever answer it, not even while the agent
 * has not heard of its address.
 */
export async function newClientObeys(lab: PolicyLab): Promise<DrillResult> {
  const policy = networkPolicy(
    lab,
    {
      namespace: 'x',
      spec: {
        podSelector: { matchLabels: { role: 'first' } },
        policyTypes: ['Egress'],
        egress: [{ to: [{ podSelector: { matchLabels: { app: 'b' } } }] }],
      },
    },
    'first-client',
  )
  // A third of the dials goes where it may: they show when the network lets the pod out at all.
  const dials = dialList(lab, { 'x/b': 8080, 'x/a': 8080, 'y/a': 8080 })
  const client = programPod({
    namespace: namespaces.x.name,
    name: 'first-client',
    node: lab.nodes['node1'] ?? '',
    labels: { role: 'first' },
    environment: { DIAL: dials, EVERY_MS: '20' },
  })
  try {
    await lab.kubernetes.apply(policy)
    await lab.kubernetes.apply(client)
    const isDenied = ({ target }: DialLine): boolean => target !== 'x/b'
    // A dropped dial is told when it has timed out, so both kinds are waited for.
    const lines = await linesOf(lab, client, 'dials of a new pod', (all) => {
      const connected = all.filter(({ dial }) => dial === 'connected').length
      return connected >= watchedDials && all.filter(isDenied).length >= watchedDials
    })
    const denied = lines.filter(isDenied)
    const leaked = denied.filter(({ dial }) => dial !== 'timeout')
    const first = Math.min(...lines.map(({ at }) => at))
    const letOut = Math.min(...lines.filter(({ dial }) => dial === 'connected').map(({ at }) => at)) - first
    return {
      held: leaked.length === 0,
      seen: `${denied.length} denied dials, ${leaked.length} answered; allowed ones from ${letOut} ms after the first`,
    }
  } finally {
    await deleteAll(lab, [refOf(client), refOf(policy)])
  }
}

/**
 * A server that is dialled from another node as soon as it has an address, before the API tells it: its future address is among the next ones of its node.
 * Without a policy it must be reached, else the drill would prove nothing.
 */
export async function newServerObeys(lab: PolicyLab, policed: boolean): Promise<DrillResult> {
  const policy = networkPolicy(
    lab,
    { namespace: 'x', spec: { podSelector: { matchLabels: { role: 'late' } }, policyTypes: ['Ingress'] } },
    'late-server',
  )
  const node = lab.nodes['node1'] ?? ''
  const names = policed ? ['late-server-denied', 'late-dialer-denied'] : ['late-server-free', 'late-dialer-free']
  const [serverName = '', dialerName = ''] = names
  const dialer = programPod({
    namespace: namespaces.x.name,
    name: dialerName,
    node: lab.nodes['node2'] ?? '',
    environment: { DIAL: await addressesAheadOf(lab, node), EVERY_MS: '50' },
  })
  const server = programPod({
    namespace: namespaces.x.name,
    name: serverName,
    node,
    labels: { role: 'late' },
    environment: { SERVE: `${serverPort}/TCP` },
    readyPort: serverPort,
  })
  try {
    if (policed) await lab.kubernetes.apply(policy)
    await lab.kubernetes.apply(dialer)
    await linesOf(lab, dialer, 'dials of addresses that no pod has', (all) => all.length > 0)
    await lab.kubernetes.apply(server)
    const ready = await readyPod(lab, server)
    const address = ready['status'].podIP as string
    const dialled = (all: readonly DialLine[]): DialLine[] => all.filter(({ target }) => target === address)
    const settled = (all: readonly DialLine[]): boolean =>
      dialled(all).filter(({ at }) => at > Date.now() - 60_000 && at > readyAt(ready)).length >= watchedDials
    const lines = dialled(await linesOf(lab, dialer, `dials of the new server at ${address}`, settled))
    const answered = lines.filter(({ dial }) => dial === 'connected').length
    const dropped = lines.filter(({ dial }) => dial === 'timeout').length
    return {
      held: policed ? answered === 0 && dropped > 0 : answered > 0,
      seen: `${lines.length} dials, ${answered} answered, ${dropped} dropped`,
    }
  } finally {
    await deleteAll(lab, [refOf(server), refOf(dialer), refOf(policy)])
  }
}

function readyAt(pod: KubeObject): number {
  const conditions = pod['status'].conditions as { type: string; lastTransitionTime: string }[]
  return Date.parse(conditions.find(({ type }) => type === 'Ready')?.lastTransitionTime ?? '')
}

/** `DIAL` for the addresses that the node's next pods get: host-local gives each the one after the last, and a pod made for it tells the last. */
async function addressesAheadOf(lab: PolicyLab, node: string): Promise<string> {
  const scout = programPod({
    namespace: namespaces.x.name,
    name: `scout-${randomUUID().slice(0, 8)}`,
    node,
    environment: { SERVE: `${serverPort}/TCP` },
    readyPort: serverPort,
  })
  try {
    await lab.kubernetes.apply(scout)
    const last = numberOf((await readyPod(lab, scout))['status'].podIP)
    const ahead = Array.from({ length: addressesAhead }, (_, i) => textOf(last + 1 + i))
    return ahead.map((address) => `${address}=${address}:${serverPort}`).join(',')
  } finally {
    await deleteAll(lab, [refOf(scout)])
  }
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

function textOf(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.')
}

/** `DIAL` or `HOLD` for pods of the fixture: key to port. */
export function dialList(lab: PolicyLab, ports: Readonly<Record<string, number>>): string {
  return Object.entries(ports)
    .map(([key, port]) => `${key}=${lab.addresses.get(key)}:${port}`)
    .join(',')
}

/** What a pod has printed, as soon as that is enough. */
export function linesOf(
  lab: PolicyLab,
  pod: KubeObject,
  what: string,
  enough: (lines: readonly DialLine[]) => boolean,
): Promise<readonly DialLine[]> {
  const { name, namespace = '' } = pod.metadata
  const read = async (): Promise<DialLine[]> =>
    (await lab.kubernetes.logs({ namespace, pod: name }))
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as DialLine)
  return waitFor(lab.host, what, read, {
    done: enough,
    explain: (lines) => `${lines.length} so far, the last ${JSON.stringify(lines.at(-1))}`,
    timeoutMs: collectMs,
  })
}

export async function readyPod(lab: PolicyLab, pod: KubeObject): Promise<KubeObject> {
  const { name, namespace = '' } = pod.metadata
  const find = (all: readonly KubeObject[]): KubeObject | undefined => all.find((one) => one.metadata.name === name)
  const all = await lab.kubernetes.until(
    `pod ${namespace}/${name}`,
    podKind,
    { namespace },
    {
      timeoutMs: collectMs,
      done: (seen) => seen.some((one) => one.metadata.name === name && isReady(one)),
      explain: (seen) => JSON.stringify(find(seen)?.['status']?.conditions ?? 'absent'),
    },
  )
  const found = find(all)
  if (found === undefined) throw new Error(`pod ${namespace}/${name} is gone`)
  return found
}
