import { mkdir, mkdtemp } from 'node:fs/promises'
import path from 'node:path'

/** The folder given, or a new one in the job's temporary folder: two steps of a job do not overwrite each other's reports. */
export async function reportFolder(temp: string, given: string | undefined): Promise<string> {
  if (given !== undefined) return given
  await mkdir(temp, { recursive: true })
  return await mkdtemp(path.join(temp, 'k8s-platform-report-'))
}
