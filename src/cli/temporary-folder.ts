import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import path from 'node:path'
import { parseStat } from '../cluster/owner.ts'

/**
 * A folder of this process alone, after removing those of processes that are gone: one that was killed could not remove its own. The name says whose it is, by process id and
 * start time; of processes of another namespace, which we cannot see, nothing is removed.
 */
export function temporaryFolder(parent: string): string {
  const namespace = readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
  const prefix = `k8s-platform-${namespace}-`
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(prefix)) continue
    const [, pid = '', startTime] = /^(\d+)-(\d+)-/.exec(name.slice(prefix.length)) ?? []
    if (pid === '' || startTimeOf(pid) === startTime) continue
    try {
      rmSync(path.join(parent, name), { recursive: true, force: true })
    } catch {
      // Another user's.
    }
  }
  return mkdtempSync(path.join(parent, `${prefix}${process.pid}-${startTimeOf(String(process.pid)) ?? 0}-`))
}

function startTimeOf(pid: string): string | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.startTime
  } catch {
    return undefined
  }
}
