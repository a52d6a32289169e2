import { waitForRollout } from '../deploy/rollout.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import { type KubeObject, refOf } from '../kubernetes/objects.ts'
import { isWorkload } from '../kubernetes/workload.ts'
import type { Host } from '../process/host.ts'
import { silentLogger } from '../process/log.ts'
import { waitFor } from '../process/wait.ts'
import { metricsServerObjects, metricsServerVersion } from './metrics-server-objects.ts'

export interface MetricsServerOptions {
  /** Default 3 minutes for the whole of it. */
  readonly timeoutMs?: number
  readonly image?: string
}

/**
 * Installs metrics-server by server-side apply and waits until it is of use: the aggregated API is Available, and every node has figures. Applied again it changes
 * nothing. Rejects with NotReadyError naming the pod or the condition that stands in the way.
 */
export async function installMetricsServer(
  host: Host,
  cluster: { readonly kubeconfig: string; readonly context?: string },
  options: MetricsServerOptions = {},
): Promise<{ readonly version: string }> {
  const deadline = host.clock.monotonic() + (options.timeoutMs ?? 180_000)
  const left = (): number => Math.max(1, Math.ceil(deadline - host.clock.monotonic()))
  await host.timings.phase('metrics-server', async () => {
    const kubernetes = await createKubernetes(host, cluster)
    const objects = metricsServerObjects(options.image)
    for (const object of objects) await kubernetes.apply(object)
    // A pod that cannot start is explained by its own log, not by the API that has no endpoints.
    await waitForRollout(host, kubernetes, {
      what: 'metrics-server',
      objects: objects.filter(isWorkload).map(refOf),
      timeoutMs: left(),
      connect: (signal) => createKubernetes({ ...host, signal, log: silentLogger }, cluster),
    })
    await kubernetes.until(
      'the metrics API',
      { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService' },
      { fieldSelector: 'metadata.name=v1beta1.metrics.k8s.io' },
      {
        timeoutMs: left(),
        done: (seen) => unavailable(seen[0]) === undefined,
        explain: (seen) => unavailable(seen[0]) ?? '',
      },
    )
    const nodes = (await kubernetes.list({ apiVersion: 'v1', kind: 'Node' })).map((node) => node.metadata.name)
    // The metrics API cannot be watched.
    await waitFor(host, 'metrics of every node', () => nodesWithMetrics(kubernetes), {
      timeoutMs: left(),
      intervalMs: 500,
      done: (measured) => nodes.every((node) => measured.includes(node)),
      explain: (measured) => `none yet for ${nodes.filter((node) => !measured.includes(node)).join(', ')}`,
    })
  })
  return { version: metricsServerVersion }
}

function unavailable(service: KubeObject | undefined): string | undefined {
  const condition = (service?.['status']?.conditions ?? []).find(
    (entry: { type: string }) => entry.type === 'Available',
  )
  if (condition?.status === 'True') return undefined
  return condition === undefined ? 'not looked at yet by the API server' : `${condition.reason}: ${condition.message}`
}

async function nodesWithMetrics(kubernetes: Kubernetes): Promise<string[]> {
  const body = JSON.parse(await kubernetes.raw('/apis/metrics.k8s.io/v1beta1/nodes')) as {
    readonly items: readonly KubeObject[]
  }
  return body.items.map((item) => item.metadata.name)
}
