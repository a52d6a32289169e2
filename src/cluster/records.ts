import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { withFileLock } from '../process/file-lock.ts'
import type { Host } from '../process/host.ts'
import { type ClusterState, readState, saveState } from './state.ts'

/** Longer than the slowest thing done while it is held: asking Docker to remove a network. */
const recordsMs = 180_000

/**
 * Runs the body while no other run changes a record: what it has read holds until it has written. Of short duration, and not for use within itself; inside of the
 * claim (claim.ts) it may be taken, not the other way round.
 */
export async function withRecords<T>(host: Host, body: () => Promise<T>): Promise<T> {
  const lock = join(host.paths.state, 'records.lock')
  const options = { timeoutMs: recordsMs, doing: 'is changing the records of clusters', intervalMs: 20 }
  let entered = false
  const enter = (): Promise<T> => {
    entered = true
    return body()
  }
  try {
    return await withFileLock(host, lock, options, enter)
  } catch (error) {
    if (entered || (error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    // On a full disk no lock can be written, and no record either: what there is to remove is what makes room.
    return await body()
  } finally {
    // The lock was in it; where other clusters are it is not empty.
    await rmdir(host.paths.state).catch(() => {})
  }
}

/** Changes a record as it is on disk now, with whatever others have added to it. Resolves with what was saved, or with undefined where there is no record any more. */
export async function changeState(
  host: Host,
  name: string,
  change: (present: ClusterState) => Partial<ClusterState> | Promise<Partial<ClusterState>>,
): Promise<ClusterState | undefined> {
  return await withRecords(host, async () => {
    const present = await readState(host, name)
    return present === undefined ? undefined : await saveState(host, { ...present, ...(await change(present)) })
  })
}
