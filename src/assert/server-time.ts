import { randomBytes } from 'node:crypto'
import type { Kubernetes } from '../kubernetes/client.ts'

/**
 * The API server's clock, by the creation time it stamps on an object that is never stored. Whole seconds. Ours may be off by minutes (a laptop that slept),
 * and every age read from the API is by the server's clock.
 */
export async function serverTime(kubernetes: Kubernetes): Promise<Date> {
  const name = `k8s-platform-clock-${randomBytes(4).toString('hex')}`
  // A Namespace, because probe pods need the right to create one anyway.
  const stamped = await kubernetes.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, { dryRun: true })
  return new Date(stamped.metadata.creationTimestamp ?? Number.NaN)
}
