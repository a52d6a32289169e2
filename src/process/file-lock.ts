import { randomUUID } from 'node:crypto'
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Host } from './host.ts'
import { waitFor } from './wait.ts'

/** A process as it can be recognised later: process ids are reused, a pair with the start time is not. */
interface Holder {
  readonly pid: number
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot. */
  readonly startTicks: string
  /** /proc/sys/kernel/random/boot_id: ticks of another boot mean nothing. */
  readonly bootId: string
}

export interface FileLockOptions {
  /** How long to wait for another run. */
  readonly timeoutMs: number
  /** What the holder is doing, after `process 4711 `: `is building images`. */
  readonly doing: string
}

/**
 * Runs the body while no other run on this machine with the same file does the same. A lock whose holder is gone (killed, rebooted) is taken over, an unreadable one
 * too. Rejects at once where the file cannot be written: it will not be writable later either.
 */
export async function withFileLock<T>(
  host: Pick<Host, 'clock' | 'log' | 'signal'>,
  file: string,
  options: FileLockOptions,
  body: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(file), { recursive: true })
  let failure: unknown
  const look = (): Promise<number | undefined> =>
    acquire(file).catch((error: unknown) => {
      failure = error
      return undefined
    })
  await waitFor(host, `lock ${file}`, look, {
    done: (holder) => holder === undefined,
    explain: (holder) => `process ${holder} ${options.doing}`,
    timeoutMs: options.timeoutMs,
    hint: `When no other run is at work on this machine, delete ${file}.`,
  })
  if (failure !== undefined) throw failure
  try {
    return await body()
  } finally {
    await rm(file, { force: true })
  }
}

/** Takes the lock, or tells the process id of who holds it. */
async function acquire(file: string): Promise<number | undefined> {
  const self = (await identify(process.pid)) ?? { pid: process.pid, startTicks: '', bootId: '' }
  // Written in full before it gets its name: nobody ever reads half a lock.
  const own = `${file}.${process.pid}.${randomUUID()}`
  await writeFile(own, JSON.stringify(self), { mode: 0o600 })
  try {
    if (await claim(own, file)) return undefined
    const text = await readText(file)
    const holder = parseHolder(text)
    if (text === undefined || (holder !== undefined && (await isRunning(holder)))) return holder?.pid ?? 0
    await takeAway(file, text, `${own}.stale`)
    return holder?.pid ?? 0
  } finally {
    await rm(own, { force: true })
  }
}

/** Its holder is gone. It is moved instead of deleted: of several who see this, one gets to move it. */
async function takeAway(file: string, text: string, stale: string): Promise<void> {
  await rename(file, stale).catch(() => {})
  const moved = await readText(stale)
  if (moved !== undefined && moved !== text) await claim(stale, file) // somebody's fresh one: put it back
  await rm(stale, { force: true })
}

/** Removes the locks in a folder, and what was to become one, whose holders are gone: nobody may come who would take them over. */
export async function removeStaleLocks(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [] as string[])
  for (const name of names.filter((entry) => /\.lock($|\.)/.test(entry))) {
    const file = join(folder, name)
    const text = await readText(file)
    const holder = parseHolder(text)
    if (text === undefined || holder === undefined || (await isRunning(holder))) continue
    await takeAway(file, text, `${file}.${randomUUID()}.stale`)
  }
}

async function claim(own: string, file: string): Promise<boolean> {
  try {
    await link(own, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function parseHolder(text: string | undefined): Holder | undefined {
  try {
    const holder = JSON.parse(text ?? '') as Partial<Holder> | null
    return typeof holder?.pid === 'number' ? (holder as Holder) : undefined
  } catch {
    return undefined
  }
}

async function isRunning(holder: Holder): Promise<boolean> {
  const now = await identify(holder.pid)
  return now?.startTicks === holder.startTicks && now.bootId === holder.bootId
}

/** Who has this process id now; undefined when nobody has, or a zombie. */
async function identify(pid: number): Promise<Holder | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  const bootId = (await readText('/proc/sys/kernel/random/boot_id'))?.trim()
  if (stat === undefined || bootId === undefined) return undefined
  // The second field is the program's name in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTicks = fields[19]
  return startTicks === undefined || fields[0] === 'Z' ? undefined : { pid, startTicks, bootId }
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
