import { existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Clock, systemClock } from '../process/clock.ts'
import { createExec } from '../process/exec.ts'
import type { Host } from '../process/host.ts'
import type { Logger } from '../process/log.ts'
import { Timings } from '../process/timings.ts'
import type { RunnerEnvironment } from './environment.ts'
import { type TrackedExec, trackExec } from './tracked-exec.ts'

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
    timings: new Timings(clock),
    exec: trackExec(createExec({ log, clock, env, signal })),
  }
}

/** Root of the shipped repository: the nearest folder above this file that has an action.yml, also when this is a chunk in dist/. */
function assetsFolder(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url))
  while (!existsSync(path.join(folder, 'action.yml'))) {
    const above = path.dirname(folder)
    if (above === folder) throw new Error(`no action.yml above ${fileURLToPath(import.meta.url)}`)
    folder = above
  }
  return folder
}
