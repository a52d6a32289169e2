import type { ImageSource } from '../cluster/provider.ts'
import type { Host } from '../process/host.ts'

/** Where kind's node images and most of the app's bases are published. */
const publicRegistry = 'https://registry-1.docker.io'
const answerMs = 3_000

/**
 * `registry` where a container registry really answers, else `packages`. On some networks anything accepts a connection and even answers 200, so only the
 * registry API's own header counts. Says which and why.
 */
export async function chooseImageSource(
  host: Pick<Host, 'log' | 'signal'>,
  wanted: ImageSource | 'auto',
  registry: string = publicRegistry,
): Promise<ImageSource> {
  if (wanted !== 'auto') return wanted
  const reason = await whyNotRegistry(registry, host.signal)
  if (reason === undefined) {
    host.log.info(`images: from registries (${registry} answers)`)
    return 'registry'
  }
  host.log.info(`images: built from package registries, as ${registry} ${reason}`)
  return 'packages'
}

async function whyNotRegistry(registry: string, cancel: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await fetch(new URL('/v2/', registry), {
      redirect: 'manual',
      signal: AbortSignal.any([cancel, AbortSignal.timeout(answerMs)]),
    })
    await answer.body?.cancel()
    if (answer.status !== 200 && answer.status !== 401) return `answers ${answer.status}`
    const version = answer.headers.get('docker-distribution-api-version')
    return version?.startsWith('registry/2') === true ? undefined : 'is not answered by a registry'
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code
    return `cannot be reached${cause === undefined ? '' : ` (${cause})`}`
  }
}
