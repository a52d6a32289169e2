import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'

/** Labels of a namespace that admits only pods of the Pod Security level `restricted`. */
export const restrictedNamespace = {
  'pod-security.kubernetes.io/enforce': 'restricted',
  'pod-security.kubernetes.io/warn': 'restricted',
} as const

/**
 * Makes the namespace when it is not there; one that exists is left as it is. A user who may not look at namespaces is taken to have been given one: the first
 * object in it will tell. Resolves with whether it was made.
 */
export async function ensureNamespace(
  kubernetes: Kubernetes,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  const ref = { apiVersion: 'v1', kind: 'Namespace', name }
  try {
    if ((await kubernetes.get(ref)) !== undefined) return false
    const metadata = { name, labels: { 'app.kubernetes.io/managed-by': 'k8s-platform', ...labels } }
    await kubernetes.create({ apiVersion: 'v1', kind: 'Namespace', metadata })
    return true
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.reason === 'AlreadyExists')) return false
    throw error
  }
}
