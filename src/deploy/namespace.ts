import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { deadlineSignal } from '../process/deadline.ts'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'

/** Labels of a namespace that admits only pods of the Pod Security level `restricted`. */
export const restrictedNamespace = {
  'pod-security.kubernetes.io/enforce': 'restricted',
  'pod-security.kubernetes.io/warn': 'restricted',
} as const

const kind = { apiVersion: 'v1', kind: 'Namespace' }

/** A client of the same cluster that ends with the signal, not with the run. */
export type Connect = (signal: AbortSignal) => Promise<Kubernetes>

/** A user who may not look at namespaces is taken to have been given one: the first object in it will tell. */
export async function namespaceExists(kubernetes: Kubernetes, name: string): Promise<boolean> {
  try {
    return (await kubernetes.get({ ...kind, name })) !== undefined
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return true
    throw error
  }
}

/** Makes the namespace when it is not there; one that exists is left as it is. Resolves with whether it was made. */
export async function ensureNamespace(
  kubernetes: Kubernetes,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  if (await namespaceExists(kubernetes, name)) return false
  try {
    const metadata = { name, labels: { 'app.kubernetes.io/managed-by': 'k8s-platform', ...labels } }
    await kubernetes.create({ ...kind, metadata })
    return true
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.reason === 'AlreadyExists')) return false
    throw error
  }
}

const removalMs = 10_000

/**
 * Takes back what was made for objects that are not applied after all, after a cancellation too. Waits until they are gone: the next run is to find them absent, not
 * ending. Never throws: why they are taken back matters more than that it failed.
 */
export async function removeNamespaces(
  host: Pick<Host, 'log' | 'signal'>,
  connect: Connect,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return
  try {
    const kubernetes = await connect(deadlineSignal(removalMs))
    await Promise.all(names.map((name) => kubernetes.delete({ ...kind, name })))
    // A cancelled run has a few seconds: that the server has agreed must do.
    if (host.signal.aborted) return
    await kubernetes.until(
      'removal of the namespaces made',
      kind,
      {},
      {
        timeoutMs: removalMs,
        done: (seen) => !seen.some(({ metadata }) => names.includes(metadata.name)),
        explain: () => 'still ending',
      },
    )
  } catch (error) {
    host.log.warning(
      `made for this deployment, and not seen removed again: namespace ${names.join(', ')}: ${messageOf(error)}`,
    )
  }
}
