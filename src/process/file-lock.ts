import { randomUUID } from 'node:crypto'
import { link, mkdir, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises'
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
  /** Process ids of another PID namespace, such as another job's container, cannot be looked up here. Not in locks of earlier versions. */
  readonly pidNamespace?: string
}

export interface FileLockOptions {
  /** How long to wait for another run. */
  readonly timeoutMs: number
  /** What the holder is doing, after `process 4711 `: `is building images`. */
  readonly doing: string
  /** Pause between looks. Default 250 ms; shorter for what is never held long. */
  readonly intervalMs?: number
}

/**
 * Runs the body while no other run on this machine with the same file does the same. A lock whose holder is gone (killed, rebooted) is taken over, an unreadable one
 * too; one of a holder that cannot be looked up from here is waited for. Rejects at once where the file cannot be written: it will not be writable later either.
 */
export async function withFileLock<T>(
  host: Pick<Host, 'clock' | 'log' | 'signal'>,
  file: string,
  options: FileLockOptions,
  body: () => Promise<T>,
): Promise<T> {
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
    ...(options.intervalMs === undefined ? {} : { intervalMs: options.intervalMs }),
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
  // Written in full before it gets its name: nobody ever reads half a lock.
  const own = `${file}.${process.pid}.${randomUUID()}`
  await writeInFolder(own, JSON.stringify(await thisProcess()))
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

/** Whoever leaves the folder as the last removes it, which may be between our making it and our writing into it. */
async function writeInFolder(file: string, text: string): Promise<void> {
  const attempts = 20
  for (let attempt = 1; ; attempt++) {
    await mkdir(dirname(file), { recursive: true })
    try {
      await writeFile(file, text, { mode: 0o600 })
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt >= attempts) throw error
    }
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

/** True also for one that cannot be looked up from here: better wait in vain than work beside it. */
async function isRunning(holder: Holder): Promise<boolean> {
  if (holder.bootId !== (await bootId())) return false
  if (holder.pidNamespace !== undefined && holder.pidNamespace !== (await pidNamespace())) return true
  return (await startTicks(holder.pid)) === holder.startTicks
}

async function thisProcess(): Promise<Holder> {
  const namespace = await pidNamespace()
  return {
    pid: process.pid,
    startTicks: (await startTicks(process.pid)) ?? '',
    bootId: (await bootId()) ?? '',
    ...(namespace === undefined ? {} : { pidNamespace: namespace }),
  }
}

async function bootId(): Promise<string | undefined> {
  return (await readText('/proc/sys/kernel/random/boot_id'))?.trim()
}

async function pidNamespace(): Promise<string | undefined> {
  return await readlink('/proc/self/ns/pid').catch(() => undefined)
}

/** When the process that has this id now was started; undefined when there is none, or a zombie. */
async function startTicks(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The second field is the program's name in parentheses and may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields?.[0] === 'Z' ? undefined : fields?.[19]
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
