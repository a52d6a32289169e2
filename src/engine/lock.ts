import { join } from 'node:path'
import { withFileLock } from '../process/file-lock.ts'
import type { Host } from '../process/host.ts'
import { at, type Machine } from './machine.ts'

const lockTimeoutMs = 900_000

/** Runs the body while no other run on this machine with the same state folder does the same. */
export async function withLock<T>(host: Host, machine: Machine, name: string, body: () => Promise<T>): Promise<T> {
  const file = at(machine, join(host.paths.state, `${name}.lock`))
  return await withFileLock(host, file, { timeoutMs: lockTimeoutMs, doing: `is changing Docker's ${name}` }, body)
}
