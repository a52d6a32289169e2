import { mkdirSync } from 'node:fs'
import { assetsFolder } from '../process/assets-folder.ts'
import { type Clock, systemClock } from '../process/clock.ts'
import { createExec } from '../process/exec.ts'
import type { Host } from '../process/host.ts'
import type { Logger } from '../process/log.ts'
import { Timings } from '../process/timings.ts'
import { type TrackedExec, trackExec } from '../process/tracked-exec.ts'
import type { RunnerEnvironment } from './environment.ts'

/** The world as an action sees it. */
export function createActionHost(options: {
  readonly environment: RunnerEnvironment
  readonly log: Logger
  readonly signal: AbortSignal
  readonly clock?: Clock
}): Host & { readonly exec: TrackedExec } {
  const { environment, log, signal } = options
  const clock = options.clock ?? systemClock
  const paths = {
    assets: assetsFolder(),
    temp: environment.temp,
    cache: environment.cache,
    state: environment.state,
  }
  for (const folder of [paths.temp, paths.cache, paths.state]) mkdirSync(folder, { recursive: true, mode: 0o700 })
  const env = environment.child
  return {
    clock,
    log,
    env,
    signal,
    paths,
    timings: new Timings(clock, (phase) => log.debug(`phase ${phase}`)),
    exec: trackExec(createExec({ log, clock, env, signal })),
  }
}
