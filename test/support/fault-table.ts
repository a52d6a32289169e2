/**
 * Each check can fail, and only it. For each fault: which checks must be red, with a part of each reason, and which are skipped because they need a red one. Every other
 * check must be green. Committed before anything runs; docs/reliability.md shows it beside what the runs showed.
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
  'CoreDNS at zero': {
    // The app keeps its connections, so votes still flow; new lookups are what breaks.
    red: { 'D1.servers': /^fail: the DNS Service kube-system\/kube-dns has no ready endpoints/ },
    skipped: ['D1.external-name', 'D1.headless', 'D1.ptr', 'D1.search', 'D1.service', 'D1.srv'],
  },
  // One of two, Ready by its own account: what asks through the Service is answered now and then.
  'one CoreDNS pod that drops queries': {
    red: { 'D1.servers': /^fail: A kubernetes\.default\.svc\.\S+ of \S+ over UDP and TCP: timeout after 2\.0 s/ },
    skipped: ['D1.external-name', 'D1.headless', 'D1.ptr', 'D1.search', 'D1.service', 'D1.srv'],
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
} as const satisfies Record<string, Fault>

export type FaultName = keyof typeof faults

/** For people: `red: R2.app, R4.database; skipped: R4.live`. */
export function describeFault({ red, skipped }: Fault): string {
  const then = skipped.length === 0 ? '' : `; skipped: ${skipped.join(', ')}`
  return `red: ${Object.keys(red).sort().join(', ')}${then}; all else green`
}
