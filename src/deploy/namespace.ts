import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'

/**
 * Makes the namespace under Pod Security `restricted` when it is not there; one that exists is left as it is. A user who may not look at namespaces is
 * taken to have been given one: the first object in it will tell.
 */
export async function ensureNamespace(kubernetes: Kubernetes, name: string): Promise<void> {
  const ref = { apiVersion: 'v1', kind: 'Namespace', name }
  try {
    if ((await kubernetes.get(ref)) !== undefined) return
    await kubernetes.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name,
        labels: {
          'app.kubernetes.io/managed-by': 'k8s-platform',
          'pod-security.kubernetes.io/enforce': 'restricted',
          'pod-security.kubernetes.io/warn': 'restricted',
        },
      },
    })
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.reason === 'AlreadyExists')) return
    throw error
  }
}
