import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../process/host.ts'
import { imageFolders } from './folders.ts'

/** What is kept of a build, for people and for `images list`. */
export interface BuildRecord {
  readonly recipe: string
  readonly key: string
  readonly localTag: string
  readonly upstreamNames: readonly string[]
  readonly imageId: string
  /** ISO 8601. */
  readonly builtAt: string
  readonly seconds: number
  /** Seconds by step; waiting for a free lane is not in them. */
  readonly steps: Readonly<Record<string, number>>
  /** Compiler, where something was compiled. */
  readonly goVersion?: string
}

export async function writeRecord(host: Host, record: BuildRecord): Promise<void> {
  const folder = imageFolders(host).records
  await mkdir(folder, { recursive: true })
  const file = join(folder, `${record.recipe}-${record.key.slice(0, 12)}.json`)
  await writeFile(`${file}.tmp`, `${JSON.stringify(record, null, 2)}\n`)
  await rename(`${file}.tmp`, file)
}

/** Every record there is, oldest first; a broken file counts as none. */
export async function readRecords(host: Pick<Host, 'paths'>): Promise<readonly BuildRecord[]> {
  const folder = imageFolders(host).records
  const files = await readdir(folder).catch(() => [])
  const records = await Promise.all(
    files
      .filter((file) => file.endsWith('.json'))
      .map(async (file) => {
        try {
          return [JSON.parse(await readFile(join(folder, file), 'utf8')) as BuildRecord]
        } catch {
          return []
        }
      }),
  )
  return records.flat().sort((a, b) => a.builtAt.localeCompare(b.builtAt))
}
