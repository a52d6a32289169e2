import { mkdir } from 'node:fs/promises'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { exportLogsArgs } from './kind-command.ts'
import { shorten } from './reasons.ts'

/** Node journals, container logs and the like of whatever nodes there are. A failure here must not hide the one that led here. */
export async function exportNodeLogs(host: Host, kind: string, cluster: string, folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    await host.exec.run(kind, exportLogsArgs(cluster, folder), { quiet: true, timeoutMs: 60_000 })
  } catch (error) {
    // kind goes on after a failed part, so most of it is there all the same.
    host.log.info(`kind's export of the nodes' logs is incomplete: ${shorten(messageOf(error))}`)
  }
}
