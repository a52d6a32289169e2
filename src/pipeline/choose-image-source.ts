import { parseRegistryMirrors } from '../cluster/mirrors.ts'
import type { ImageSource } from '../cluster/provider.ts'
import { readState } from '../cluster/state.ts'
import type { Host } from '../process/host.ts'

/** Where kind's node images and most of the app's bases are published. */
const publicRegistry = 'https://registry-1.docker.io'
const answerMs = 3_000

export interface ImageSourceHints {
  /** A ready cluster of this name decides: asked again under another answer of the network, the same request shall find it. */
  readonly name?: string
  /** As the input has it: where there is a mirror of docker.io, it is what the images would come from. */
  readonly registryMirror?: string
  /** For tests: the registry to ask where there is no mirror. */
  readonly publicRegistry?: string
}

/**
 * `registry` where a container registry really answers, else `packages`. On some networks anything accepts a connection and even answers 200, so only the
 * registry API's own header counts. Says which and why. Rejects with the reason of the cancellation where the run is cancelled meanwhile.
 */
export async function chooseImageSource(
  host: Pick<Host, 'log' | 'signal' | 'paths'>,
  wanted: ImageSource | 'auto',
  hints: ImageSourceHints = {},
): Promise<ImageSource> {
  if (wanted !== 'auto') return wanted
  const present = hints.name === undefined ? undefined : await readState(host, hints.name)
  if (present?.phase === 'ready') {
    host.log.info(`images: as cluster ${present.name} has them, from ${present.imageSource}`)
    return present.imageSource
  }
  const mirror = parseRegistryMirrors(hints.registryMirror)['docker.io']
  const registry = mirror ?? hints.publicRegistry ?? publicRegistry
  const reason = await whyNotRegistry(registry, host.signal)
  host.signal.throwIfAborted()
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
