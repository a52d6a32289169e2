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
  /** Nodes were stopped and had to be started: for a while the API remembers them as they were before. */
  readonly startedAgain: boolean
}
