import type { ClusterRequest, ImageSource } from '../cluster/provider.ts'
import type { Settings } from '../spec/settings.ts'

/** The cluster to ask for, once its name and image source are settled. */
export function requestOf(
  settings: Settings,
  settled: { readonly name: string; readonly imageSource: ImageSource },
): ClusterRequest {
  return { ...settings.cluster, provider: settings.provider, ...settled }
}
