import { readdirSync, readFileSync } from 'node:fs'
import { parseStat } from '../cluster/owner.ts'

/**
 * Ends whatever programs of ours are left, each with its process group, at once and without asking: the last thing before an exit that cannot wait. Synchronous, as the
 * runner's own kill may be a moment away.
 */
export function killChildren(): void {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      if (parseStat(readFileSync(`/proc/${entry}/stat`, 'utf8'))?.parent !== process.pid) continue
      // Each program was started as the leader of a group of its own.
      process.kill(-Number(entry), 'SIGKILL')
    } catch {
      // It has just ended.
    }
  }
}
