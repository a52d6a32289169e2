import { join } from 'node:path'
import { ensureNetwork } from '../engine/network.ts'
import { seal, sealedDnsArgs } from '../engine/seal.ts'
import { sealedClientEnvironment } from '../engine/sealed-client.ts'
import { type BuiltImage, buildImages } from '../images/build-images.ts'
import { toolFromPackages, toolVersion } from '../images/host-tools.ts'
import { supportedKubernetesVersions } from '../images/kubernetes-versions.ts'
import { publishImages } from '../images/publish-images.ts'
import { ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import type { ImageSupply } from './image-supply.ts'
import { resolveKubernetesVersion } from './kubernetes-version.ts'
import type { LocalRegistry } from './registry.ts'

const nodeRecipe = 'kind-node'
const registryRecipe = 'registry'

/** Images and programs built from package registries, on a network that lets nothing out. */
export function packagesSupply(kubernetesVersion?: string): ImageSupply {
  let built: Promise<readonly BuiltImage[]> | undefined
  /** Once per run: even when nothing is to be done, telling so costs reading every recipe and its files. */
  const images = (host: Host, kubernetesVersion: string): Promise<readonly BuiltImage[]> => {
    built ??= buildImages(host, { kubernetesVersion })
    return built
  }
  const tagOf = (all: readonly BuiltImage[], recipe: string): string => {
    const image = all.find((entry) => entry.recipe === recipe)
    if (image === undefined) {
      throw new ToolkitError(`there is no recipe ${recipe} in images/recipes`, { code: 'RECIPE_MISSING' })
    }
    return image.localTag
  }
  let version = ''
  return {
    versions: (host) => supportedKubernetesVersions(host),
    async prepare(host, kubernetesVersion) {
      version = kubernetesVersion
      await toolFromPackages(host, 'kind')
      await images(host, kubernetesVersion)
    },
    async tool(host, tool) {
      // Where only tools are wanted nothing is prepared.
      if (version === '')
        version = resolveKubernetesVersion(
          kubernetesVersion,
          'packages',
          await supportedKubernetesVersions(host),
        ).version
      const path = await toolFromPackages(host, tool, version)
      const known = tool === 'kubectl' ? version : await toolVersion(host, tool)
      return { tool, path, version: known.replace(/^v/, ''), from: 'packages' }
    },
    nodeImage: async (host, kubernetesVersion) => tagOf(await images(host, kubernetesVersion), nodeRecipe),
    registryImage: async (host) => tagOf(await images(host, version), registryRecipe),
    async network(host) {
      const { name } = await ensureNetwork(host)
      await seal(host)
      return { name, exists: true }
    },
    async publish(host: Host, registry: LocalRegistry) {
      const toPublish = (await images(host, version)).flatMap((image) =>
        image.upstreamNames.map((upstreamName) => ({ localTag: image.localTag, upstreamName })),
      )
      const { pushed, skipped } = await publishImages(host, { pushAddress: `127.0.0.1:${registry.port}` }, toPublish)
      host.log.info(`local registry: ${pushed.length} images pushed, ${skipped.length} were there`)
    },
    registryStorage: (host) => join(host.paths.cache, 'registry'),
    registryRunArgs: sealedDnsArgs,
    kindEnvironment: (host) => sealedClientEnvironment(host),
    mirrors: {},
    sealed: true,
  }
}
