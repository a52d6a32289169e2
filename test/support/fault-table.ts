import type { FaultRow } from './prove-fault.ts'

/**
 * For each fault: which checks must be red, with a part of each reason, and which are skipped that are not on a healthy cluster. Every other check must be green. Committed before
 * anything runs; docs/reliability.md shows it beside what the runs showed. {@link redInUnitTests} names the checks that no fault here turns red.
 */
export interface Fault {
  readonly red: Readonly<Record<string, RegExp>>
  readonly skipped: readonly string[]
}

/** All checks that follow a vote past its acceptance. */
const hops = ['R4.change', 'R4.live', 'R4.once', 'R4.stored'] as const

export const faults = {
  'worker at zero': {
    red: {
      'R4.stored': /^fail: queued: \d+ votes? waits? in Redis, worker 0\/0 ready: no row for vote /,
      'R4.live': /^fail: queued: \d+ votes? waits? in Redis, worker 0\/0 ready: no live result with vote /,
    },
    skipped: ['R4.change', 'R4.once'],
  },
  'selector of a Service off by one label': {
    red: {
      'S1.endpoints':
        /^fail: Service worker-service: no ready endpoints: the selector .*app=wrker.* matches no pod and no workload \(Deployment worker has app=worker/,
    },
    skipped: [],
  },
  'wrong targetPort': {
    red: { 'S1.backends': /^fail: worker-\S+ \(\S+:9\) of Service worker-service: refused \(from \S+/ },
    skipped: ['S1.cluster-ip'],
  },
  // The app has its connections open, so votes flow.
  'CoreDNS at zero': {
    red: { 'D1.servers': /^fail: the DNS Service kube-system\/kube-dns has no ready endpoints/ },
    skipped: ['D1.external-name', 'D1.headless', 'D1.ptr', 'D1.search', 'D1.service', 'D1.srv'],
  },
  // One of two, Ready by its own account: what asks through the Service is answered now and then.
  'one CoreDNS pod that drops queries': {
    red: { 'D1.servers': /^fail: A kubernetes\.default\.svc\.\S+ of \S+ over UDP and TCP: timeout after 2\.0 s/ },
    skipped: ['D1.external-name', 'D1.headless', 'D1.ptr', 'D1.search', 'D1.service', 'D1.srv'],
  },
  'CoreDNS without SRV records': {
    red: { 'D1.srv': /^fail: SRV \S+ over UDP and TCP: NXDOMAIN instead of / },
    skipped: [],
  },
  'CoreDNS without PTR records': {
    red: { 'D1.ptr': /^fail: PTR \S+ over UDP and TCP: NXDOMAIN instead of / },
    skipped: [],
  },
  // The worker says so too: it is not Ready while it cannot count.
  'Postgres read-only': {
    red: {
      'R4.database': /^fail: Postgres is read-only: default_transaction_read_only is on$/,
      'R2.app': /^fail: Deployment worker 0\/1 ready/,
      'S1.endpoints': /^fail: Service worker-service: no ready endpoints: 1 pods match .*, none is Ready/,
    },
    skipped: [...hops],
  },
  'Redis full': {
    red: { 'R4.accept': /^fail: POST \S+: 503 queue_unavailable: Redis is full/ },
    skipped: [...hops],
  },
  // Connections that are open stay open, so nothing becomes unready: new ones are what breaks. No backend is dialled: that each is isolated is what the policy asks for.
  'a deny-all NetworkPolicy': {
    red: { 'R4.accept': /^fail: POST \S+: timeout after \d+\.\d s .*; NetworkPolicy deny-all selects vote-/ },
    skipped: [...hops, 'S1.backends', 'S1.cluster-ip'],
  },
  'a pod that restarts every 20 s': {
    red: { 'R5.stable': /^fail: voting-app\/restless\/restless (ended|restarted \d+ times) while watched/ },
    skipped: [],
  },
  // Its old pod serves on: nothing but the rollout is wrong.
  'rollout stuck at an old generation': {
    red: {
      'R2.app':
        /^fail: Deployment worker 1\/1 ready, 1 updated, .*: worker-\S+: worker (ErrImagePull|ImagePullBackOff)/,
    },
    skipped: [],
  },
  'rollout paused at an old generation': {
    red: { 'R2.app': /^fail: Deployment worker is paused: 1\/1 ready, 0 updated/ },
    skipped: [],
  },
  // A worker without pods of the app or of the system but for its DaemonSets'; looked at once it is marked NotReady.
  'node stopped': {
    red: {
      'R1.nodes': /^fail: \S+ Ready is Unknown \(the kubelet stopped reporting\)/,
      'R1.lease': /^fail: \S+ renewed its lease .* ago and not within /,
      'R1.probes': /^fail: \S+: node is not Ready; probe pod: /,
      'R2.system': /^fail: DaemonSet \S+ \d+\/\d+ ready/,
    },
    skipped: ['R1.nodes-at-end'],
  },
  'an APIService without a backend': {
    red: { 'R3.api-services': /^fail: v1\.drill\.example\.com is not Available: ServiceNotFound / },
    skipped: [],
  },
  'a CustomResourceDefinition whose names are taken': {
    red: { 'R3.crds': /^fail: seconds\.drill\.example\.com is not Established: NotAccepted / },
    skipped: [],
  },
  'an admission webhook without a backend': {
    red: {
      'R3.webhooks':
        /^fail: drill\.example\.com\/pods\.drill\.example\.com: its Service kube-system\/nobody has no ready endpoints$/,
    },
    skipped: [],
  },
} as const satisfies Record<string, Fault>

export type FaultName = keyof typeof faults

interface UnitProof {
  /** Why no fault of the table turns it red. */
  readonly why: string
  /** The unit test in which a planted defect does. */
  readonly shownBy: string
}

const wrongAnswer: UnitProof = {
  why: 'CoreDNS would have to answer, and wrongly, for names of this one kind',
  shownBy: 'test/unit/assert/dns.test.ts',
}
const wrongRoute: UnitProof = {
  why: 'the rules of one ClusterIP would have to be wrong while those of every other Service are right',
  shownBy: 'test/unit/assert/service-routing.test.ts',
}
const wrongCount: UnitProof = {
  why: 'the voting app would have to count wrongly',
  shownBy: 'test/unit/assert/vote-flow.test.ts',
}

/** The checks that are red in no fault of the table. */
export const redInUnitTests: Readonly<Record<string, UnitProof>> = {
  'R1.nodes-at-end': {
    why: 'a node would have to go between the beginning and the end of one run',
    shownBy: 'test/unit/assert/readiness.test.ts',
  },
  'D1.service': wrongAnswer,
  'D1.headless': wrongAnswer,
  'D1.external-name': wrongAnswer,
  'D1.search': wrongAnswer,
  'S1.identity': wrongRoute,
  'S1.cluster-ip': wrongRoute,
  'R4.once': wrongCount,
  'R4.change': wrongCount,
}

export function assertionRow(name: FaultName): FaultRow {
  return { section: 'assertions', fault: name, expected: describeFault(faults[name]) }
}

/** Runs in a row without a fault. */
export const greenRuns = 20
export const greenRow: FaultRow = {
  section: 'assertions',
  fault: `nothing, ${greenRuns} times in a row`,
  expected: `${greenRuns} green runs`,
}

/** What a drill of the table, or one of its kind, must show. For people: `red: R2.app, R4.database; skipped: R4.live`. */
export function describeFault({ red, skipped }: Fault): string {
  const then = skipped.length === 0 ? '' : `; skipped: ${[...skipped].sort().join(', ')}`
  return `red: ${Object.keys(red).sort().join(', ')}${then}; all else green`
}
