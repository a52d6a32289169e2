import type { ImageSource } from '../cluster/provider.ts'
import type { Host } from '../process/host.ts'
import type { HelmChoice } from './helm-program.ts'

/** Path of helm: the pinned download, or compiled from its module where only package registries are reached. */
export async function findHelm(host: Host, imageSource: ImageSource, choice: HelmChoice = {}): Promise<string> {
  // Each loaded only where used: the one carries the builder, the other the downloader.
  if (imageSource === 'registry') {
    const { helmProgram } = await import('./helm-program.ts')
    return helmProgram(host, choice)
  }
  const { toolFromPackages } = await import('../images/host-tools.ts')
  return toolFromPackages(host, 'helm')
}

/** Path of kubectl, in the same two ways. It renders kustomizations, which needs no cluster: the default version serves. */
export async function findKubectl(
  host: Host,
  imageSource: ImageSource,
  choice: Pick<HelmChoice, 'downloadBaseUrl'> = {},
): Promise<string> {
  if (imageSource === 'registry') {
    const [{ findTool }, { parseToolVersion }, { supportedArchitecture }] = await Promise.all([
      import('../tools/find-tool.ts'),
      import('../tools/tool-request.ts'),
      import('../tools/platform.ts'),
    ])
    const found = await findTool(host, {
      tool: 'kubectl',
      version: parseToolVersion('kubectl', 'kubectl', undefined),
      architecture: supportedArchitecture(process),
      searchPath: host.env['PATH'] ?? '',
      ...(choice.downloadBaseUrl === undefined ? {} : { downloadBaseUrl: choice.downloadBaseUrl }),
    })
    return found.path
  }
  const { toolFromPackages } = await import('../images/host-tools.ts')
  return toolFromPackages(host, 'kubectl')
}
