import { UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { type FoundTool, findTool } from '../tools/find-tool.ts'
import type { ToolName } from '../tools/pinned-tools.ts'
import { parseToolVersion } from '../tools/tool-request.ts'
import { networkExists } from './docker.ts'
import { imageExists } from './docker-images.ts'
import { pullOnHost } from './image-pull.ts'
import type { ImageSupply, SupplyContext } from './image-supply.ts'
import { mirroredImage, parseRegistryMirrors } from './mirrors.ts'
import { kindNodeImages, registryImage } from './node-images.ts'

/** kind's own network, which it makes itself: other tools expect nodes there. */
const kindNetwork = 'kind'

/** Images and programs from where everyone gets them, through the mirrors given. */
export function registrySupply(context: SupplyContext): ImageSupply {
  const { request } = context
  const mirrors = parseRegistryMirrors(request.registryMirror)
  const pull = async (host: Host, image: string): Promise<string> => {
    const name = mirroredImage(image, mirrors)
    if (!(await imageExists(host, name))) await pullOnHost(host, name)
    return name
  }
  return {
    versions: async () => Object.keys(kindNodeImages),
    prepare: async () => {},
    tool: (host, tool, version) => findPinnedTool(host, context, tool, version),
    nodeImage: (host, version) => {
      const image = request.nodeImage ?? kindNodeImages[version]
      if (image === undefined) {
        throw new UnsupportedError(`there is no pinned node image for Kubernetes ${version}`, {
          code: 'NODE_IMAGE_UNPINNED',
          hint: 'Give one with `node-image`.',
        })
      }
      return pull(host, image)
    },
    registryImage: (host) => pull(host, registryImage),
    network: async (host) => ({ name: kindNetwork, exists: await networkExists(host, kindNetwork) }),
    publish: async () => {},
    registryRunArgs: [],
    mirrors,
    sealed: false,
  }
}

function findPinnedTool(host: Host, context: SupplyContext, tool: ToolName, version: string): Promise<FoundTool> {
  const { request } = context
  return findTool(host, {
    tool,
    version: parseToolVersion(tool === 'kind' ? 'provider-version' : 'kubectl-version', tool, version),
    architecture: context.architecture,
    searchPath: host.env['PATH'] ?? '',
    ...(context.toolCache === undefined ? {} : { toolCache: context.toolCache }),
    ...(request.downloadBaseUrl === undefined ? {} : { downloadBaseUrl: request.downloadBaseUrl }),
  })
}
