import { describe, expect, it } from 'vitest'
import { firstMissingImage, imageNeverComes } from '../../../src/cluster/never-comes.ts'
import type { Kubernetes, WatchEvent } from '../../../src/kubernetes/client.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'

// As containerd 1.6 and 2.x say it of a tag that the registry answered 404 for.
const notFound =
  'rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/x:1": failed to resolve reference "docker.io/library/x:1": docker.io/library/x:1: not found'
// Of registries that did not answer: they may come back.
const refused = 'failed to do request: Head "https://registry/v2/x": dial tcp 10.0.0.1:443: connect: connection refused'

function pod(reason: string, message: string, metadata: object = { namespace: 'kube-system' }): KubeObject {
  const status = {
    containerStatuses: [{ name: 'c', image: 'docker.io/library/x:1', state: { waiting: { reason, message } } }],
  }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x-1', ...metadata }, status }
}

/** An API that has some pods and then tells of others. */
function api(present: readonly KubeObject[], later: readonly KubeObject[] = []): Kubernetes {
  return {
    list: async () => [...present],
    async watch(_kind, _scope, onEvent: (event: WatchEvent) => void, signal: AbortSignal) {
      for (const object of later) if (!signal.aborted) onEvent({ type: 'MODIFIED', object })
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    },
  } as Partial<Kubernetes> as Kubernetes
}

describe('an image that never comes', () => {
  it.each([
    ['ErrImagePull', notFound, true],
    ['ImagePullBackOff', `Back-off pulling image "docker.io/library/x:1": ErrImagePull: ${notFound}`, true],
    ['ErrImagePull', 'manifest unknown: manifest unknown', true],
    ['InvalidImageName', 'Failed to apply default image tag "X": couldn\'t parse image name', true],
    ['ErrImagePull', refused, false],
    ['ImagePullBackOff', 'Back-off pulling image "docker.io/library/x:1"', false],
    ['CrashLoopBackOff', 'file not found', false],
    ['CreateContainerConfigError', 'configmap "a" not found', false],
  ])('%s %s: %s', (reason, message, never) => {
    expect(imageNeverComes(pod(reason, message)) !== undefined).toBe(never)
  })

  it('is told at once, whether it is there already or comes later', async () => {
    const { signal } = new AbortController()
    const broken = pod('ErrImagePull', notFound)
    for (const kubernetes of [api([broken]), api([], [pod('ErrImagePull', refused), broken])]) {
      expect(await firstMissingImage(kubernetes, signal)).toMatchObject({
        code: 'IMAGE_NOT_FOUND',
        message: 'pod kube-system/x-1 waits for an image that never comes: docker.io/library/x:1',
      })
    }
  })

  it('of the gate’s own pods counts, of somebody’s app it does not', async () => {
    const stop = new AbortController()
    const own = { namespace: 'default', labels: { 'k8s-platform.check': 'dns-1' } }
    expect(await firstMissingImage(api([pod('ErrImagePull', notFound, own)]), stop.signal)).toBeDefined()
    const others = firstMissingImage(api([pod('ErrImagePull', notFound, { namespace: 'shop' })]), stop.signal)
    stop.abort()
    expect(await others).toBeUndefined()
  })

  it('is nothing that trouble with the API brings forth', async () => {
    const broken = { list: () => Promise.reject(new Error('no route')) } as Partial<Kubernetes> as Kubernetes
    expect(await firstMissingImage(broken, new AbortController().signal)).toBeUndefined()
  })
})
