import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Host } from '../process/host.ts'
import { waitFor } from '../process/wait.ts'
import { at, identify, isRunning, type Machine, type ProcessIdentity, readText, remove } from './machine.ts'

const lockTimeoutMs = 900_000

/**
 * Runs the body while no other run on this machine with the same state folder does the same. A lock whose holder is gone (killed, rebooted) is
 * taken over.
 */
export async function withLock<T>(host: Host, machine: Machine, name: string, body: () => Promise<T>): Promise<T> {
  const file = join(host.paths.state, `${name}.lock`)
  await waitFor(host, `lock ${file}`, () => acquire(machine, file), {
    done: (holder) => holder === undefined,
    explain: (holder) => `held by process ${holder}`,
    timeoutMs: lockTimeoutMs,
    hint: `Another run is changing Docker on this machine. When there is none, delete ${file}.`,
  })
  try {
    return await body()
  } finally {
    await remove(machine, file)
  }
}

/** Takes the lock, or tells who holds it. */
async function acquire(machine: Machine, file: string): Promise<number | undefined> {
  const self = (await identify(machine, process.pid)) ?? { pid: process.pid, startTicks: '', bootId: '' }
  await mkdir(dirname(at(machine, file)), { recursive: true })
  try {
    const handle = await open(at(machine, file), 'wx', 0o600)
    await handle.writeFile(JSON.stringify(self))
    await handle.close()
    return undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const holder = parseHolder(await readText(machine, file))
  // An unreadable lock is one being written: look again.
  if (holder === undefined) return 0
  if (holder.pid !== process.pid && (await isRunning(machine, holder))) return holder.pid
  if (holder.pid === process.pid && holder.startTicks === self.startTicks) return holder.pid
  await remove(machine, file)
  return holder.pid
}

function parseHolder(text: string | undefined): ProcessIdentity | undefined {
  try {
    return JSON.parse(text ?? '') as ProcessIdentity
  } catch {
    return undefined
  }
}
