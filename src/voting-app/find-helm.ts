import type { ImageSource } from '../cluster/provider.ts'
import type { Host } from '../process/host.ts'

/** Path of helm: the pinned download, or compiled from its module where only package registries are reached. */
export async function findHelm(host: Host, imageSource: ImageSource): Promise<string> {
  // Each loaded only where used: the one carries the builder, the other the downloader.
  if (imageSource === 'registry') {
    const { helmProgram } = await import('../deploy/helm-program.ts')
    return helmProgram(host)
  }
  const { toolFromPackages } = await import('../images/host-tools.ts')
  return toolFromPackages(host, 'helm')
}
