import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Clock, systemClock } from '../../src/process/clock.ts'
import { createExec, type Exec } from '../../src/process/exec.ts'
import type { Host } from '../../src/process/host.ts'
import { type Logger, silentLogger } from '../../src/process/log.ts'
import { Timings } from '../../src/process/timings.ts'

/** Root of the repository. */
export const repository = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/** A logger that keeps what was said: `info: text`. */
export function recordingLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = []
  const say =
    (level: string) =>
    (message: string): void => {
      lines.push(`${level}: ${message}`)
    }
  return {
    lines,
    debug: say('debug'),
    info: say('info'),
    notice: say('notice'),
    warning: say('warning'),
    error: say('error'),
    progress: say('progress'),
    mask: () => {},
    group(title, body) {
      lines.push(`group: ${title}`)
      return body()
    },
  }
}

/** A host in fresh temporary folders, with real processes and real time unless told otherwise. */
export function testHost(overrides: Partial<Host> & { clock?: Clock; exec?: Exec; log?: Logger } = {}): Host {
  const root = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-'))
  const clock = overrides.clock ?? systemClock
  const log = overrides.log ?? silentLogger
  const env = overrides.env ?? { PATH: process.env['PATH'] ?? '', HOME: root }
  const signal = overrides.signal ?? new AbortController().signal
  return {
    log,
    clock,
    env,
    signal,
    timings: overrides.timings ?? new Timings(clock),
    exec: overrides.exec ?? createExec({ log, clock, env, signal }),
    paths: overrides.paths ?? {
      assets: repository,
      temp: path.join(root, 'temp'),
      cache: path.join(root, 'cache'),
      state: path.join(root, 'state'),
    },
  }
}
