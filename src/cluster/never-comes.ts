import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { NotReadyError } from '../process/errors.ts'
import { checkLabel } from './readiness-dns.ts'
import { waitingReason } from './reasons.ts'
import { systemNamespaces } from './system-namespaces.ts'

/** What a registry, through containerd, says of an image that it does not have; a name that cannot be one is no better. */
const final = /not found|manifest unknown|name unknown|repository does not exist|InvalidImageName|ErrImageNeverPull/i
const pullFailed = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull'])

/** The first image of a pod that no amount of waiting brings: its registry answered, and it is not there. A registry that does not answer may come back. */
export function imageNeverComes(pod: KubeObject): { readonly image: string; readonly why: string } | undefined {
  const status = pod['status']
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
  for (const container of containers) {
    const waiting = container.state?.waiting
    if (waiting === undefined || !pullFailed.has(waiting.reason)) continue
    const why = waitingReason(waiting)
    if (final.test(`${waiting.reason} ${waiting.message ?? ''}`)) return { image: container.image, why }
  }
  return undefined
}

/** Pods that the cluster cannot do without, and the gate's own: what else a cluster that was there runs is no cause of its not being ready. */
export function isOurs(pod: KubeObject): boolean {
  return systemNamespaces.includes(pod.metadata.namespace ?? '') || pod.metadata.labels?.[checkLabel] !== undefined
}

/** Resolves with the error as soon as a pod that the gate needs waits for an image that never comes; with undefined once `signal` says that nobody asks any more. */
export async function firstMissingImage(
  kubernetes: Kubernetes,
  signal: AbortSignal,
): Promise<NotReadyError | undefined> {
  const kind = { apiVersion: 'v1', kind: 'Pod' }
  const stop = new AbortController()
  let error: NotReadyError | undefined
  const look = (pod: KubeObject): void => {
    error ??= isOurs(pod) ? missingImage(pod) : undefined
    if (error !== undefined) stop.abort()
  }
  try {
    for (const pod of await kubernetes.list(kind)) look(pod)
    if (error === undefined)
      await kubernetes.watch(kind, {}, (event) => look(event.object), AbortSignal.any([signal, stop.signal]))
  } catch {
    // Trouble with the API is for the gate to tell.
  }
  return error
}

function missingImage(pod: KubeObject): NotReadyError | undefined {
  const found = imageNeverComes(pod)
  if (found === undefined) return undefined
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`
  return new NotReadyError(`pod ${name} waits for an image that never comes: ${found.image}`, {
    code: 'IMAGE_NOT_FOUND',
    diagnostics: [`Pod ${name}: ${found.why}`],
  })
}
