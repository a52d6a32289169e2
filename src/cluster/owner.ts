import { readFile, readlink } from 'node:fs/promises'

/**
 * Who a cluster belongs to. `job`: it dies with the process named, a runner's worker, and the next run on the host may remove what is left of it. `person`:
 * made by hand, it stays until somebody takes it down; the process is the command that is creating it.
 */
export interface ClusterOwner extends ProcessIdentity {
  readonly kind: 'job' | 'person'
  readonly runId?: string
  readonly runAttempt?: string
}

/** A process as it can be recognised later. */
export interface ProcessIdentity {
  /** Changes with each boot of the host: a process id of an earlier boot says nothing. */
  readonly bootId: string
  readonly pid: number
  /** Clock ticks since boot at which that process started: tells it from a later one with the same id. */
  readonly startTime: string
  /** Process ids of another PID namespace, such as another job's container, cannot be looked up here. */
  readonly pidNamespace: string
}

/** What an owner's process looks like from here. `unknown` must be treated as alive: never remove a neighbour's cluster on a guess. */
export type Liveness = 'alive' | 'dead' | 'unknown'

/** The few facts of /proc that are needed, so that tests can play another machine. */
export interface ProcessTable {
  bootId(): Promise<string>
  pidNamespace(): Promise<string>
  /** undefined when there is no such process. */
  process(
    pid: number,
  ): Promise<{ readonly name: string; readonly parent: number; readonly startTime: string } | undefined>
}

export const linuxProcessTable: ProcessTable = {
  bootId: async () => (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
  pidNamespace: () => readlink('/proc/self/ns/pid'),
  async process(pid) {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
    return text === undefined ? undefined : parseStat(text)
  },
}

/** The program's name stands in parentheses and may itself hold spaces and parentheses. A zombie is no process any more. */
export function parseStat(text: string): { name: string; parent: number; startTime: string } | undefined {
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  const fields = text.slice(close + 2).split(' ')
  const [state, parent] = fields
  const startTime = fields[19]
  if (open === -1 || close === -1 || parent === undefined || startTime === undefined || state === 'Z') return undefined
  return { name: text.slice(open + 1, close), parent: Number(parent), startTime }
}

/** The process of GitHub's runner that lives exactly as long as the job. */
const workerName = 'Runner.Worker'

/**
 * The owner for what this process creates. In a job that is the runner's worker among our ancestors, because our own process ends with the step; where there is
 * none (`act`, another runner) the direct parent. In a job's container steps have no parent in sight: there it is the container's first process, which lives as long as the job.
 */
export async function currentOwner(
  self: {
    readonly pid: number
    readonly kind: 'job' | 'person'
    readonly runId?: string
    readonly runAttempt?: string
  },
  table: ProcessTable = linuxProcessTable,
): Promise<ClusterOwner> {
  const pid = self.kind === 'job' ? await jobProcess(self.pid, table) : self.pid
  return {
    kind: self.kind,
    ...(self.runId === undefined ? {} : { runId: self.runId }),
    ...(self.runAttempt === undefined ? {} : { runAttempt: self.runAttempt }),
    ...(await identityOf(pid, table)),
  }
}

export async function identityOf(pid: number, table: ProcessTable = linuxProcessTable): Promise<ProcessIdentity> {
  const process = await table.process(pid)
  return {
    bootId: await table.bootId(),
    pid,
    startTime: process?.startTime ?? '0',
    pidNamespace: await table.pidNamespace(),
  }
}

async function jobProcess(pid: number, table: ProcessTable): Promise<number> {
  let current = pid
  let parent = 1
  for (let depth = 0; depth < 64; depth++) {
    const process = await table.process(current)
    if (process === undefined || process.parent <= 1) break
    if (process.name === workerName) return current
    if (depth === 0) parent = process.parent
    current = process.parent
  }
  return parent
}

export async function livenessOf(owner: ProcessIdentity, table: ProcessTable = linuxProcessTable): Promise<Liveness> {
  if (owner.bootId !== (await table.bootId())) return 'dead'
  if (owner.pidNamespace !== (await table.pidNamespace())) return 'unknown'
  const process = await table.process(owner.pid)
  return process?.startTime === owner.startTime ? 'alive' : 'dead'
}
