/** The services whose images are ours; Redis and Postgres are public ones. */
export const appServices = ['vote', 'worker', 'result'] as const

export type AppService = (typeof appServices)[number]

/** Something for each of our services. */
export type PerService<T> = Readonly<Record<AppService, T>>

/** Does something for all three at once; the first failure is the whole's. */
export async function forEachService<T>(act: (service: AppService) => Promise<T>): Promise<PerService<T>> {
  const results = await Promise.all(appServices.map(async (service) => [service, await act(service)] as const))
  return Object.fromEntries(results) as Record<AppService, T>
}

/** An image as the chart's values take it. */
export interface ImageReference {
  readonly repository: string
  readonly tag?: string
  /** `sha256:<64 hex digits>`; wins over the tag. */
  readonly digest?: string
}
