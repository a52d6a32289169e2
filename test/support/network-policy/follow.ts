import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { refOf } from '../../../src/kubernetes/objects.ts'
import type { CasePolicy } from './expectation.ts'
import { type DrillResult, dialList, linesOf } from './first-packet.ts'
import { namespaces } from './fixture.ts'
import { type PolicyLab, podKind } from './lab.ts'
import { programPod } from './manifests.ts'
import { deleteAll, networkPolicy } from './play.ts'
import type { DialLine } from './pod-program.ts'

/** From the API's answer until the first dial that ends the new way. */
const boundMs = 1_000
/** Dials in a row with the new verdict before it counts. */
const steady = 20
const everyMs = 25
const namespaceKind = { apiVersion: 'v1', kind: 'Namespace' } as const

type Change = (lab: PolicyLab) => Promise<unknown>

/** y/b's labels and its namespace's decide here: a pod like y/b dials x/a without end while something changes and is changed back. */
interface Following {
  readonly policies: readonly CasePolicy[]
  readonly before: DialLine['dial']
  readonly change: Change
  readonly after: DialLine['dial']
  readonly undo: Change
}

const admit = (peer: object): CasePolicy => ({
  namespace: 'x',
  spec: { podSelector: { matchLabels: { app: 'a' } }, policyTypes: ['Ingress'], ingress: [{ from: [peer] }] },
})
const dialer = 'follower'
const dialerRef = { ...podKind, namespace: namespaces.y.name, name: dialer }
const namespaceRef = { ...namespaceKind, name: namespaces.y.name }
const label = (ref: typeof dialerRef | typeof namespaceRef, value: string | null): Change => {
  return (lab) => lab.kubernetes.patch(ref, { metadata: { labels: { door: value } } })
}
const door = { matchLabels: { door: 'open' } }

export const podLabelFollowed = (lab: PolicyLab): Promise<DrillResult> =>
  follow(lab, {
    policies: [admit({ namespaceSelector: {}, podSelector: door })],
    before: 'timeout',
    change: label(dialerRef, 'open'),
    after: 'connected',
    undo: label(dialerRef, null),
  })

export const namespaceLabelFollowed = (lab: PolicyLab): Promise<DrillResult> =>
  follow(lab, {
    policies: [admit({ namespaceSelector: door })],
    before: 'timeout',
    change: label(namespaceRef, 'open'),
    after: 'connected',
    undo: label(namespaceRef, null),
  })

export function policyFollowed(lab: PolicyLab): Promise<DrillResult> {
  const policy = networkPolicy(lab, admit({ podSelector: {} }), 'follow-change')
  return follow(lab, {
    policies: [],
    before: 'connected',
    change: () => lab.kubernetes.apply(policy),
    after: 'timeout',
    undo: () => deleteAll(lab, [refOf(policy)]),
  })
}

/** Dials while the change is made and undone; tells how long each took to be followed. */
async function follow(lab: PolicyLab, following: Following): Promise<DrillResult> {
  const policies = following.policies.map((policy, i) => networkPolicy(lab, policy, `follow-${i}`))
  const pod = programPod({
    namespace: namespaces.y.name,
    name: dialer,
    node: lab.nodes['node2'] ?? '',
    environment: { DIAL: dialList(lab, { 'x/a': 8080 }), EVERY_MS: String(everyMs) },
  })
  try {
    await Promise.all(policies.map((policy) => lab.kubernetes.apply(policy)))
    await lab.kubernetes.apply(pod)
    await steadyFrom(lab, pod, following.before, 0)
    const changed = await timedChange(lab, pod, following.change, following.after)
    const undone = await timedChange(lab, pod, following.undo, following.before)
    return {
      held: changed <= boundMs && undone <= boundMs,
      seen: `${following.after} after ${changed} ms, ${following.before} again after ${undone} ms`,
    }
  } finally {
    await following.undo(lab).catch(() => {})
    await deleteAll(lab, [refOf(pod), ...policies.map(refOf)])
  }
}

/** From the API's answer to the change until the first of the dials that all end the new way. */
async function timedChange(
  lab: PolicyLab,
  pod: KubeObject,
  change: Change,
  verdict: DialLine['dial'],
): Promise<number> {
  await change(lab)
  const answered = Date.now()
  return Math.max(0, (await steadyFrom(lab, pod, verdict, answered)) - answered)
}

/** When the dials began that all ended so, of those since a moment. */
async function steadyFrom(lab: PolicyLab, pod: KubeObject, verdict: DialLine['dial'], since: number): Promise<number> {
  const tail = (lines: readonly DialLine[]): DialLine[] => {
    const ordered = lines.filter(({ at }) => at >= since).sort((a, b) => a.at - b.at)
    const lastOther = ordered.findLastIndex(({ dial }) => dial !== verdict)
    return ordered.slice(lastOther + 1)
  }
  const lines = await linesOf(lab, pod, `dials that end in ${verdict}`, (all) => tail(all).length >= steady)
  return tail(lines)[0]?.at ?? Number.POSITIVE_INFINITY
}
