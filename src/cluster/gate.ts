import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import type { Host } from '../process/host.ts'
import { firstMissingImage } from './never-comes.ts'
import { type ReadinessOptions, waitUntilReady } from './readiness.ts'

/** The readiness gate, given up as soon as something is known that no waiting mends. */
export async function passGate(
  host: Host,
  access: { readonly kubeconfig: string; readonly context: string },
  options: ReadinessOptions,
): Promise<void> {
  const stop = new AbortController()
  const own: Host = { ...host, signal: AbortSignal.any([host.signal, stop.signal]) }
  const kubernetes = await createKubernetes(own, access)
  const ready = waitUntilReady(own, kubernetes, options)
  if (!options.waitFor.includes('system')) return await ready
  // What is still being pushed to the local registry is not missing.
  const pushed = Promise.resolve(options.imagesReady).then(
    () => true,
    () => false,
  )
  const missing = pushed.then((all) => (all ? firstMissingImage(kubernetes, own.signal) : undefined))
  const never = missing.then((error) => {
    if (error === undefined) return ready
    throw error
  })
  try {
    await Promise.race([ready, never])
  } finally {
    stop.abort()
    await Promise.allSettled([ready, never])
  }
}
