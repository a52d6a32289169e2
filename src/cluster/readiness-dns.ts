import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { restrictedContainer, restrictedPod } from '../kubernetes/restricted-pod.ts'
import { NotReadyError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { joinReasons, waitingReason } from './reasons.ts'

/** Two megabytes with a resolver of their own; the node image built from packages has it already. */
export const dnsImage = 'docker.io/library/busybox:1.35'

const namespace = 'default'
/** On every pod that the gate makes. */
export const checkLabel = 'k8s-platform.check'

/**
 * Asks for the API server's own name until it is answered, then ends well. The search list of resolv.conf tells the cluster's domain. `timeout`: a first question that is
 * lost must not cost the 5 s of the resolver.
 */
const script = `
domain=$(sed -n 's/^search .*\\(svc\\.[^ ]*\\).*/\\1/p' /etc/resolv.conf)
name=kubernetes.default.\${domain:-svc.cluster.local}.
until timeout 2 nslookup "$name"; do sleep 0.2; done
`

export function dnsPod(node: string, suffix: string, image: string, deadlineSeconds: number): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `k8s-platform-dns-${node}-${suffix}`, namespace, labels: { [checkLabel]: `dns-${suffix}` } },
    spec: {
      // Bound by name: the scheduler's taste is not what is tested, and every node must answer, tainted or not.
      nodeName: node,
      tolerations: [{ operator: 'Exists' }],
      restartPolicy: 'Never',
      activeDeadlineSeconds: deadlineSeconds,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: restrictedPod,
      containers: [
        {
          name: 'dns',
          image,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', script],
          securityContext: restrictedContainer,
          resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
        },
      ],
    },
  }
}

/** Why a check pod has not answered yet, or undefined when it has. */
export function dnsReason(pod: KubeObject | undefined, node: string): string | undefined {
  if (pod === undefined) return `${node}: no check pod`
  const status = pod['status']
  if (status?.phase === 'Succeeded') return undefined
  const waiting = status?.containerStatuses?.[0]?.state?.waiting
  if (waiting !== undefined) return `${node}: ${waitingReason(waiting)}`
  if (status?.phase === 'Running') return `${node}: asking, no answer yet`
  return `${node}: ${status?.reason ?? status?.phase ?? 'not yet seen by the kubelet'}`
}

/** What is asked of cluster DNS: one answer on each node. */
export interface DnsRequest {
  readonly nodes: readonly string[]
  readonly image: string
  readonly timeoutMs: number
}

/** Waits for these answers. @throws NotReadyError naming the nodes without one. */
export type AskDns = (host: Host, kubernetes: Kubernetes, request: DnsRequest) => Promise<void>

/** Runs one pod per node until each got an answer from cluster DNS, and removes them. Rejects with NotReadyError naming the nodes without one. */
export const dnsAnswers: AskDns = async (host, kubernetes, options) => {
  const suffix = host.clock.now().getTime().toString(36)
  const pods = options.nodes.map((node) =>
    dnsPod(node, suffix, options.image, Math.max(1, Math.ceil(options.timeoutMs / 1_000))),
  )
  try {
    await Promise.all(pods.map((pod) => kubernetes.create(pod)))
    const reasons = (seen: readonly KubeObject[]): string[] => {
      const byNode = new Map(seen.map((pod) => [String(pod['spec']?.nodeName), pod]))
      return options.nodes.flatMap((node) => dnsReason(byNode.get(node), node) ?? [])
    }
    await kubernetes.until(
      'an answer of cluster DNS on every node',
      { apiVersion: 'v1', kind: 'Pod' },
      { namespace, labelSelector: `${checkLabel}=dns-${suffix}` },
      {
        timeoutMs: options.timeoutMs,
        done: (seen) => reasons(seen).length === 0,
        explain: (seen) => joinReasons(reasons(seen)),
      },
    )
  } catch (error) {
    if (!(error instanceof NotReadyError)) throw error
    const logs = await Promise.all(pods.map((pod) => lastLines(kubernetes, pod.metadata.name)))
    throw new NotReadyError(error.message, {
      code: 'DNS_NOT_READY',
      cause: error,
      diagnostics: [...error.diagnostics, ...logs.flat()],
    })
  } finally {
    await Promise.allSettled(
      pods.map((pod) => kubernetes.delete({ apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, namespace })),
    )
  }
}

async function lastLines(kubernetes: Kubernetes, pod: string): Promise<string[]> {
  try {
    const text = await kubernetes.logs({ namespace, pod, tailLines: 2 })
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `${pod}: ${line}`)
  } catch {
    // A container that never started has no log; the pod's own reason is told already.
    return []
  }
}
