import type { ImageSource } from '../cluster/provider.ts'
import { UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'

/** Path of the helm program for this image source. */
export async function findHelm(_host: Host, imageSource: ImageSource): Promise<string> {
  throw new UnsupportedError(`no helm program for image-source ${imageSource}`, { code: 'HELM_MISSING' })
}
