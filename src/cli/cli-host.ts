import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { assetsFolder } from '../process/assets-folder.ts'
import { systemClock } from '../process/clock.ts'
import { cacheFolder, stateFolder } from '../process/environment.ts'
import { createExec } from '../process/exec.ts'
import type { Host } from '../process/host.ts'
import { Timings } from '../process/timings.ts'
import { type TrackedExec, trackExec } from '../process/tracked-exec.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { type TerminalLogger, terminalLogger } from './terminal-logger.ts'

/** `dispose` removes the temporary folder. */
export type CliHost = Host & { readonly exec: TrackedExec; readonly log: TerminalLogger; dispose(): void }

/** The world as the command line sees it. The only place of the command line that reads the environment. */
export function createCliHost(options: { verbose: boolean; signal: AbortSignal }): CliHost {
  const clock = systemClock
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const log = terminalLogger({ stream: process.stderr, clock, verbose: options.verbose })
  const temp = temporaryFolder(tmpdir())
  const paths = { assets: assetsFolder(), temp, cache: cacheFolder(env), state: stateFolder(env) }
  for (const folder of [paths.cache, paths.state]) mkdirSync(folder, { recursive: true, mode: 0o700 })
  return {
    clock,
    log,
    env,
    paths,
    signal: options.signal,
    timings: new Timings(clock, (phase) => log.debug(`phase ${phase}`)),
    exec: trackExec(createExec({ log, clock, env, signal: options.signal })),
    dispose: () => rmSync(temp, { recursive: true, force: true }),
  }
}
