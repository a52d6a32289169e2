import type { ImageSupply, SupplyContext } from './image-supply.ts'
import { registrySupply } from './registry-supply.ts'

/** The supply for the request's image source. The code for `packages` is loaded only when asked for: it is large, and no one else pays for it. */
export async function supplyFor(context: SupplyContext): Promise<ImageSupply> {
  if (context.request.imageSource === 'registry') return registrySupply(context)
  const { packagesSupply } = await import('./packages-supply.ts')
  return packagesSupply(context.request.kubernetesVersion)
}
