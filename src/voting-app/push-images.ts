import { pushImage } from '../cluster/docker-images.ts'
import type { Host } from '../process/host.ts'
import type { BuiltImage } from './build-images.ts'
import { registryHas } from './local-registry.ts'
import { forEachService, type ImageReference, type PerService } from './services.ts'

const pushMs = 180_000

/**
 * Brings built images into the cluster's registry, those it has not got yet, and resolves with the names under which nodes pull them.
 */
export async function pushVotingAppImages(
  host: Host,
  registry: string,
  images: PerService<BuiltImage>,
): Promise<PerService<ImageReference>> {
  return forEachService(async (service) => {
    const { local, tag } = images[service]
    const path = `voting-app/${service}`
    const reference = { repository: `${registry}/${path}`, tag }
    if (await registryHas(host, registry, path, tag)) return reference
    const remote = `${reference.repository}:${tag}`
    await pushImage(host, local, remote, pushMs)
    return reference
  })
}
