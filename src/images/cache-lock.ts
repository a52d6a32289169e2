import { withFileLock } from '../process/file-lock.ts'
import type { Host } from '../process/host.ts'

/** Longer than any cold build: whoever waits would otherwise build the same things. */
const lockTimeoutMs = 3_600_000

/** Runs the body while no other run with the same cache folder builds or prunes. */
export async function withCacheLock<T>(host: Host, file: string, body: () => Promise<T>): Promise<T> {
  return await withFileLock(host, file, { timeoutMs: lockTimeoutMs, doing: 'is building images' }, body)
}
