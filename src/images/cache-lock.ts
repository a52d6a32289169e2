import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Host } from '../process/host.ts'
import { waitFor } from '../process/wait.ts'

/** Longer than any cold build: whoever waits would otherwise build the same things. */
const lockTimeoutMs = 3_600_000

interface Holder {
  readonly pid: number
  /** Clock ticks since boot, field 22 of /proc/<pid>/stat: process ids are used again. */
  readonly started: string
  readonly boot: string
}

/** Runs the body while no other run with the same cache folder builds or prunes. A lock whose holder is gone is taken over. */
export async function withCacheLock<T>(host: Host, file: string, body: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true })
  await waitFor(host, `the image cache's lock ${file}`, () => acquire(file), {
    done: (holder) => holder === undefined,
    explain: (holder) => `process ${holder} is building`,
    timeoutMs: lockTimeoutMs,
    hint: `When no other run is building images on this machine, delete ${file}.`,
  })
  try {
    return await body()
  } finally {
    await rm(file, { force: true })
  }
}

/** Takes the lock, or tells the process id of who holds it. */
async function acquire(file: string): Promise<number | undefined> {
  const self = await identify(process.pid)
  try {
    const handle = await open(file, 'wx', 0o644)
    await handle.writeFile(JSON.stringify(self))
    await handle.close()
    return undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const holder = await readHolder(file)
  // Empty or half written: somebody is just taking it.
  if (holder === undefined) return 0
  const now = await identify(holder.pid)
  if (now !== undefined && now.started === holder.started && now.boot === holder.boot) return holder.pid
  await rm(file, { force: true })
  return holder.pid
}

async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

async function identify(pid: number): Promise<Holder | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The program's name is in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    return { pid, started: fields[19] ?? '', boot }
  } catch {
    return undefined
  }
}
