import { randomUUID } from 'node:crypto'
import { link, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../process/host.ts'
import { waitFor } from '../process/wait.ts'
import { at, identify, isRunning, type Machine, type ProcessIdentity, readText, remove, writeText } from './machine.ts'

const lockTimeoutMs = 900_000

/**
 * Runs the body while no other run on this machine with the same state folder does the same. A lock whose holder is gone (killed, rebooted) is
 * taken over.
 */
export async function withLock<T>(host: Host, machine: Machine, name: string, body: () => Promise<T>): Promise<T> {
  const file = join(host.paths.state, `${name}.lock`)
  // A lock that cannot be written (a read-only state folder) will not be writable later either: no "not yet".
  let failure: unknown
  const look = () =>
    acquire(machine, file).catch((error: unknown) => {
      failure = error
      return undefined
    })
  await waitFor(host, `lock ${file}`, look, {
    done: (holder) => holder === undefined,
    explain: (holder) => `held by process ${holder}`,
    timeoutMs: lockTimeoutMs,
    hint: `Another run is changing Docker on this machine. When there is none, delete ${file}.`,
  })
  if (failure !== undefined) throw failure
  try {
    return await body()
  } finally {
    await remove(machine, file)
  }
}

/** Takes the lock, or tells who holds it. */
async function acquire(machine: Machine, file: string): Promise<number | undefined> {
  const self = (await identify(machine, process.pid)) ?? { pid: process.pid, startTicks: '', bootId: '' }
  // Written in full before it gets its name: nobody ever reads half a lock.
  const own = `${file}.${process.pid}.${randomUUID()}`
  await writeText(machine, own, JSON.stringify(self), 0o600)
  try {
    if (await claim(machine, own, file)) return undefined
    const text = await readText(machine, file)
    const holder = parseHolder(text)
    if (text === undefined || (holder !== undefined && (await isRunning(machine, holder)))) return holder?.pid ?? 0
    // The holder is gone. Move its lock away instead of deleting it: of several who see this, one gets to move it.
    const stale = `${own}.stale`
    await rename(at(machine, file), at(machine, stale)).catch(() => {})
    const moved = await readText(machine, stale)
    if (moved !== undefined && moved !== text) await claim(machine, stale, file) // somebody's fresh one: put it back
    await remove(machine, stale)
    return holder?.pid ?? 0
  } finally {
    await remove(machine, own)
  }
}

async function claim(machine: Machine, own: string, file: string): Promise<boolean> {
  try {
    await link(at(machine, own), at(machine, file))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function parseHolder(text: string | undefined): ProcessIdentity | undefined {
  try {
    return JSON.parse(text ?? '') as ProcessIdentity
  } catch {
    return undefined
  }
}
