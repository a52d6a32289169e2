import type { ImageSupply } from './image-supply.ts'
import type { KindCluster } from './kind.ts'
import type { ClusterRequest } from './provider.ts'
import type { StateJournal } from './state-journal.ts'

/** A cluster on its way from what was asked for to what is on record. */
export interface Making {
  readonly request: ClusterRequest
  readonly supply: ImageSupply
  readonly journal: StateJournal
  /** When all of it must be ready, by the host's monotonic clock. */
  readonly deadline: number
}

/** What is known after the creation, or of a cluster that was there. */
export type Made = Pick<KindCluster, 'published' | 'attempts' | 'kindPath' | 'kindVersion'> & {
  readonly reused: boolean
  /** Its nodes were running when it was found: what the API tells of them is no memory of before they stopped. */
  readonly foundRunning: boolean
}
