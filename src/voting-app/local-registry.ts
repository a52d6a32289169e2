import { parse } from 'yaml'
import { manifestDigest } from '../cluster/registry-manifest.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { messageOf, NotReadyError, UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'

const configMap = { apiVersion: 'v1', kind: 'ConfigMap' }
const name = 'local-registry-hosting'
/** Whoever makes the cluster may be a moment from writing it. */
const advertisedMs = 10_000

/**
 * `host:port` under which both this machine and the nodes know the cluster's local registry, as the cluster advertises it (KEP-1755).
 * @throws UnsupportedError REGISTRY_MISSING
 */
export async function findLocalRegistry(kubernetes: Kubernetes, timeoutMs = advertisedMs): Promise<string> {
  try {
    const maps = await kubernetes.until(
      'local registry',
      configMap,
      { namespace: 'kube-public' },
      {
        timeoutMs,
        done: (objects) => advertisedIn(objects) !== undefined,
        explain: () => `the cluster has no ConfigMap kube-public/${name}`,
      },
    )
    return advertisedIn(maps) ?? ''
  } catch (error) {
    if (!(error instanceof NotReadyError)) throw error
    throw new UnsupportedError('the cluster advertises no local registry to push the built images to', {
      code: 'REGISTRY_MISSING',
      hint: `Create the cluster with \`registry: true\`, or describe yours in ConfigMap kube-public/${name} (KEP-1755), or use \`images: published\`.`,
      cause: error,
    })
  }
}

function advertisedIn(maps: readonly KubeObject[]): string | undefined {
  const map = maps.find((object) => object.metadata.name === name)
  const hosting = parse(String(map?.['data']?.['localRegistryHosting.v1'] ?? '')) as { host?: unknown } | null
  return typeof hosting?.host === 'string' && hosting.host !== '' ? hosting.host : undefined
}

/** Whether the registry has that tag. One that cannot be asked is taken not to have it: the push then says what is wrong. */
export async function registryHas(
  host: Pick<Host, 'log' | 'signal'>,
  registry: string,
  repository: string,
  tag: string,
): Promise<boolean> {
  try {
    return (await manifestDigest(host, registry, repository, tag)) !== undefined
  } catch (error) {
    host.log.debug(`${registry} could not be asked for ${repository}:${tag}: ${messageOf(error)}`)
    return false
  }
}
