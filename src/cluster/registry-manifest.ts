import { messageOf, NotReadyError, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'

/** Every form a manifest may have: a registry answers 404 for one that is not accepted. */
const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

const lookMs = 10_000

/**
 * Digest of what a registry on this machine (`127.0.0.1:5000`, plain HTTP) has under a tag or digest; undefined when it has nothing.
 * @throws NotReadyError when nobody answers, ToolkitError REGISTRY_ANSWER when it is no registry that does.
 */
export async function manifestDigest(
  host: Pick<Host, 'signal'>,
  registry: string,
  repository: string,
  reference: string,
): Promise<string | undefined> {
  const url = `http://${registry}/v2/${repository}/manifests/${reference}`
  const signal = AbortSignal.any([host.signal, AbortSignal.timeout(lookMs)])
  const response = await fetch(url, { method: 'HEAD', headers: { accept: manifestTypes }, signal }).catch(
    (cause: unknown) => {
      throw new NotReadyError(`no answer from the registry at ${registry}: ${messageOf(cause)}`, {
        hint: 'Is the registry container running? docker ps shows it.',
        cause,
      })
    },
  )
  if (response.status === 404) return undefined
  const digest = response.headers.get('docker-content-digest')
  if (response.ok && digest !== null) return digest
  throw new ToolkitError(`the registry at ${registry} answered ${response.status} for ${repository}:${reference}`, {
    code: 'REGISTRY_ANSWER',
    hint: 'Does something else listen on that port?',
  })
}
