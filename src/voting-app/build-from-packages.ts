import { UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import type { BuiltImage } from './build-images.ts'
import type { AppService } from './services.ts'

/** Builds on the bases made from package registries, with no network in the build. */
export async function buildFromPackages(_host: Host, service: AppService): Promise<BuiltImage> {
  throw new UnsupportedError(`no builder for ${service}`, { code: 'IMAGE_BUILD_FAILED' })
}
