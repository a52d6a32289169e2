import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject, ResourceKind } from '../kubernetes/objects.ts'
import { rolloutReason } from '../kubernetes/workload.ts'
import { CancelledError, messageOf, NotReadyError, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { waitFor } from '../process/wait.ts'
import { evidenceFor } from './culprit.ts'
import { type AskDns, dnsAnswers } from './readiness-dns.ts'
import { heartbeatReasons, nodeReasons } from './readiness-nodes.ts'
import { joinReasons } from './reasons.ts'
import { systemNamespaces } from './system-namespaces.ts'

export interface ReadinessOptions {
  /** Names of all nodes that must be there. */
  readonly nodes: readonly string[]
  readonly waitFor: readonly ('api' | 'nodes' | 'system')[]
  /** For the whole gate. */
  readonly timeoutMs: number
  readonly dnsImage: string
  /** Default is {@link dnsAnswers}: check pods of the gate's own. */
  readonly askDns?: AskDns | undefined
  /** Called when all but DNS is ready. */
  readonly onAllButDns?: () => void
  /** Resolves when the images of the check pods can be pulled, such as after they were published to the local registry. */
  readonly imagesReady?: Promise<unknown>
}

interface Check {
  readonly name: string
  readonly run: () => Promise<unknown>
}

/**
 * Our gate: the API answers, all expected nodes are Ready with a fresh heartbeat and no "not yet" taint, system workloads are rolled out at their generation, the
 * default ServiceAccount and exactly one default StorageClass exist, and cluster DNS answers from a pod on each node. The checks run beside each other, each until
 * the one deadline. Rejects with the first failure in the order above, for it explains the later ones, which come with it as diagnostics.
 */
export async function waitUntilReady(host: Host, kubernetes: Kubernetes, options: ReadinessOptions): Promise<void> {
  const deadline = host.clock.monotonic() + options.timeoutMs
  const left = (): number => Math.max(1, Math.ceil(deadline - host.clock.monotonic()))
  const phase = (name: string, run: () => Promise<unknown>): Check => ({
    name,
    run: () => host.timings.phase(name, run),
  })
  const wanted = new Set(options.waitFor)
  if (wanted.size === 0) return
  // Without an API nothing else can be asked.
  await host.timings.phase('api ready', () => apiReady(host, kubernetes, left()))
  const checks: Check[] = []
  if (wanted.has('nodes') || wanted.has('system'))
    checks.push(phase('nodes ready', () => nodesReady(host, kubernetes, options.nodes, left())))
  if (wanted.has('system')) {
    checks.push(
      phase('system workloads', () => workloadsReady(kubernetes, left())),
      phase('defaults', () => defaultsExist(kubernetes, left())),
      phase('dns', async () => {
        await options.imagesReady
        // Pods need the ServiceAccount; it comes within a second of the API.
        await serviceAccountExists(kubernetes, left())
        const ask = options.askDns ?? dnsAnswers
        await ask(host, kubernetes, { nodes: options.nodes, image: options.dnsImage, timeoutMs: left() })
      }),
    )
  }
  const running = checks.map((check) => check.run())
  const allButDns = Promise.all(running.filter((_, at) => checks[at]?.name !== 'dns')).then(options.onAllButDns)
  // Each failure is told below.
  allButDns.catch(() => {})
  const results = await Promise.allSettled(running)
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  const [first, ...others] = failures
  if (first === undefined) return
  if (host.signal.aborted || first instanceof CancelledError) throw first
  throw await explained(kubernetes, first, others)
}

async function explained(kubernetes: Kubernetes, first: unknown, others: readonly unknown[]): Promise<unknown> {
  if (!(first instanceof ToolkitError)) return first
  const evidence = await evidenceFor(kubernetes, first.message).catch((error: unknown) => [
    `no evidence: ${messageOf(error)}`,
  ])
  return new NotReadyError(first.message, {
    code: first.code,
    cause: first,
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    diagnostics: [...others.map((error) => `also: ${messageOf(error)}`), ...first.diagnostics, ...evidence],
  })
}

/** Waits until the API server says of itself that it is ready; after a reboot it takes its time. */
export async function apiReady(host: Host, kubernetes: Kubernetes, timeoutMs: number): Promise<void> {
  await waitFor(host, 'the API server', () => kubernetes.raw('/readyz', { timeoutMs: 5_000 }), {
    timeoutMs,
    intervalMs: 200,
    done: (text) => text.trim() === 'ok',
    // A server that is not ready lists its checks; those marked [-] are the reason.
    explain: (text) =>
      text
        .split('\n')
        .filter((line) => line.startsWith('[-]'))
        .join('; ') || text.slice(0, 200),
  })
}

async function nodesReady(
  host: Host,
  kubernetes: Kubernetes,
  expected: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const reasons = (seen: readonly KubeObject[]): string[] => nodeReasons(seen, expected)
  const nodes = await kubernetes.until(
    `${expected.length} nodes Ready`,
    { apiVersion: 'v1', kind: 'Node' },
    {},
    {
      timeoutMs,
      done: (seen) => reasons(seen).length === 0,
      explain: (seen) => joinReasons(reasons(seen)),
    },
  )
  const joined = nodes.filter((node) => expected.includes(node.metadata.name))
  const stale = (leases: readonly KubeObject[]): string[] => heartbeatReasons(joined, leases, host.clock.now())
  await kubernetes.until(
    'fresh heartbeats of all nodes',
    { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
    { namespace: 'kube-node-lease' },
    {
      timeoutMs,
      done: (seen) => stale(seen).length === 0,
      explain: (seen) => joinReasons(stale(seen)),
    },
  )
}

async function workloadsReady(kubernetes: Kubernetes, timeoutMs: number): Promise<void> {
  const kinds: readonly ResourceKind[] = ['Deployment', 'DaemonSet', 'StatefulSet'].map((kind) => ({
    apiVersion: 'apps/v1',
    kind,
  }))
  const waits = systemNamespaces.flatMap((namespace) =>
    kinds.map((kind) => {
      // CoreDNS is a Deployment of kube-system everywhere; an empty list there means the cluster is still being made.
      const atLeast = kind.kind === 'Deployment' && namespace === 'kube-system' ? 1 : 0
      const reasons = (seen: readonly KubeObject[]): string[] => [
        ...(seen.length < atLeast ? [`no ${kind.kind} in ${namespace} yet`] : []),
        ...seen.flatMap((workload) => rolloutReason(workload) ?? []),
      ]
      return kubernetes.until(
        `${kind.kind}s of ${namespace}`,
        kind,
        { namespace },
        {
          timeoutMs,
          done: (seen) => reasons(seen).length === 0,
          explain: (seen) => joinReasons(reasons(seen)),
        },
      )
    }),
  )
  await firstFailure(waits)
}

async function defaultsExist(kubernetes: Kubernetes, timeoutMs: number): Promise<void> {
  await firstFailure([serviceAccountExists(kubernetes, timeoutMs), storageClassExists(kubernetes, timeoutMs)])
}

async function serviceAccountExists(kubernetes: Kubernetes, timeoutMs: number): Promise<void> {
  await kubernetes.until(
    'the default ServiceAccount',
    { apiVersion: 'v1', kind: 'ServiceAccount' },
    { namespace: 'default', fieldSelector: 'metadata.name=default' },
    {
      timeoutMs,
      done: (seen) => seen.length === 1,
      explain: () => 'not made yet by its controller',
    },
  )
}

async function storageClassExists(kubernetes: Kubernetes, timeoutMs: number): Promise<void> {
  const defaults = (seen: readonly KubeObject[]): readonly KubeObject[] =>
    seen.filter((entry) => entry.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true')
  await kubernetes.until(
    'one default StorageClass',
    { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' },
    {},
    {
      timeoutMs,
      done: (seen) => defaults(seen).length === 1,
      explain: (seen) => {
        const names = defaults(seen).map((entry) => entry.metadata.name)
        return names.length === 0
          ? `none of ${seen.length} is the default`
          : `${names.length} are the default: ${names.join(', ')}`
      },
    },
  )
}

/** Waits for all, so that none goes on unseen, then rejects with the first failure in the order given. */
async function firstFailure(promises: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(promises)
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
