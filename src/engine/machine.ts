import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { lstat, mkdir, readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/**
 * What the engine's code needs of the machine besides programs: files under fixed absolute paths, and processes that outlive the run. The root of
 * the file system is a field, so that tests run the same code on a folder that looks like a machine.
 */
export interface Machine {
  /** `/`, or a test's folder. */
  readonly root: string
  /** Starts a program in its own session, detached from this run, with both streams appended to `logFile`; resolves with its pid. */
  startDaemon(
    command: string,
    args: readonly string[],
    options: { logFile: string; env: Readonly<Record<string, string>> },
  ): Promise<DaemonProcess>
  /** Sends a signal; false when there is no such process. */
  signal(pid: number, signal: NodeJS.Signals): boolean
}

/** A process that this run started and does not wait for. */
export interface DaemonProcess {
  readonly pid: number
  /** Resolves when the process has ended, with what ended it, such as `exit code 1`. Never rejects. */
  readonly ended: Promise<string>
}

export const thisMachine: Machine = { root: '/', startDaemon: startDetached, signal: sendSignal }

async function startDetached(
  command: string,
  args: readonly string[],
  options: { logFile: string; env: Readonly<Record<string, string>> },
): Promise<DaemonProcess> {
  // The exec port waits for the end of a program and ends it with the run; a daemon needs neither.
  const log = openSync(options.logFile, 'a', 0o600)
  try {
    const child = spawn(command, [...args], {
      cwd: '/',
      detached: true,
      env: { ...options.env },
      stdio: ['ignore', log, log],
    })
    const ended = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`))
      child.once('error', (error) => resolve(error.message))
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    child.unref()
    if (child.pid === undefined) throw new Error(`${command} has no process id`)
    return { pid: child.pid, ended }
  } finally {
    closeSync(log)
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    return false
  }
}

/** The place of an absolute path on this machine. */
export function at(machine: Machine, path: string): string {
  return machine.root === '/' ? path : join(machine.root, path)
}

/** The content of a text file, or undefined when there is none. */
export async function readText(machine: Machine, path: string): Promise<string | undefined> {
  try {
    return await readFile(at(machine, path), 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

export async function exists(machine: Machine, path: string): Promise<boolean> {
  try {
    await lstat(at(machine, path))
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Names in a folder, sorted; none when the folder is missing. */
export async function list(machine: Machine, path: string): Promise<string[]> {
  try {
    return (await readdir(at(machine, path))).sort()
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** Writes by rename: a reader sees the old content or the new. Parent folders are made. */
export async function writeText(machine: Machine, path: string, text: string, mode = 0o644): Promise<void> {
  const target = at(machine, path)
  await mkdir(dirname(target), { recursive: true })
  const temporary = `${target}.${process.pid}.tmp`
  await writeFile(temporary, text, { mode })
  await rename(temporary, target)
}

/** Deletes a file or a whole folder; nothing happens when it is missing. */
export async function remove(machine: Machine, path: string): Promise<void> {
  await rm(at(machine, path), { recursive: true, force: true })
}

/** Bytes free for root on the file system of the path, or of its nearest existing parent. */
export async function freeBytes(machine: Machine, path: string): Promise<number> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = await statfs(at(machine, folder))
      return bavail * bsize
    } catch (error) {
      if (!isMissing(error) || folder === dirname(folder)) throw error
    }
  }
}

/** A process as it can be recognised later: process ids are reused, a pair with the start time is not. */
export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot. */
  readonly startTicks: string
  /** /proc/sys/kernel/random/boot_id: ticks of another boot mean nothing. */
  readonly bootId: string
}

/** Reads who has this process id now; undefined when nobody has, or a zombie. */
export async function identify(machine: Machine, pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readText(machine, `/proc/${pid}/stat`).catch(() => undefined)
  const bootId = (await readText(machine, '/proc/sys/kernel/random/boot_id'))?.trim()
  if (stat === undefined || bootId === undefined) return undefined
  // The second field is the program's name in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTicks = fields[19]
  return startTicks === undefined || fields[0] === 'Z' ? undefined : { pid, startTicks, bootId }
}

/** True when the very process of the record is still running. */
export async function isRunning(machine: Machine, identity: ProcessIdentity): Promise<boolean> {
  const now = await identify(machine, identity.pid)
  return now?.startTicks === identity.startTicks && now.bootId === identity.bootId
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESRCH'
}
