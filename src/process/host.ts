import type { Clock } from './clock.ts'
import type { Exec } from './exec.ts'
import type { Logger } from './log.ts'
import type { Timings } from './timings.ts'

/** Folders a run may use. All absolute. */
export interface Paths {
  /** Root of the shipped repository: images/, charts/, voting-app/ and dist/ lie here. Read only. */
  readonly assets: string
  /** Gone when the job ends: RUNNER_TEMP, or a fresh folder of the command line's. */
  readonly temp: string
  /** Survives runs and may be deleted at any time: built images' records, downloads. */
  readonly cache: string
  /** Survives runs: what a later run must know to clean up. One `<cluster>.json` per cluster. */
  readonly state: string
}

/** Everything a feature is given of the world: the first parameter of every feature function that acts. */
export interface Host {
  readonly exec: Exec
  readonly log: Logger
  readonly clock: Clock
  readonly timings: Timings
  /** Aborted when the run is cancelled. */
  readonly signal: AbortSignal
  readonly paths: Paths
  /** Environment for child processes. Features read no variable out of it: settings are parameters. */
  readonly env: Readonly<Record<string, string>>
}
