import type { Host } from '../process/host.ts'
import { isRunning, type Machine, thisMachine } from './machine.ts'
import { readRecord } from './record.ts'

/** What of an engine we put on this machine and is still there, one line each. Empty when everything of Docker here is the user's. */
export async function engineLeftovers(host: Host, machine: Machine = thisMachine): Promise<string[]> {
  const record = await readRecord(host, machine)
  if (record === undefined) return []
  const lines: string[] = []
  if (record.daemon !== undefined && (await isRunning(machine, record.daemon))) {
    lines.push(`the dockerd that was started here (process ${record.daemon.pid})`)
  }
  if (record.packages.length > 0) lines.push(`the packages ${record.packages.join(' ')}`)
  if (record.created.includes('/var/lib/docker')) lines.push('/var/lib/docker with its images and volumes')
  if (record.runtimeWrapper !== undefined) lines.push(`the runtime wrapper ${record.runtimeWrapper}`)
  return lines
}

/** {@link engineLeftovers} as one phrase, for the sentence that `down` ends with; undefined when there is nothing of ours. */
export async function describeEngine(host: Host, machine: Machine = thisMachine): Promise<string | undefined> {
  const lines = await engineLeftovers(host, machine)
  return lines.length === 0 ? undefined : `the Docker engine installed for it: ${lines.join(', ')}`
}
