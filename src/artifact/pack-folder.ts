import { open, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { messageOf } from '../process/errors.ts'
import { type ZipEntry, zip } from './zip.ts'

export interface PackLimits {
  /** Of all files together before compression; all of it is in memory. */
  readonly totalBytes: number
  /** Of a longer file the end is kept: there is what happened last. */
  readonly fileBytes: number
  readonly files: number
}

export const packLimits: PackLimits = { totalBytes: 192 * 1024 ** 2, fileBytes: 32 * 1024 ** 2, files: 5_000 }

/** What was not packed whole, one line each, is in this file of the archive. */
const noteName = 'LEFT-OUT.txt'

export interface Packed {
  readonly archive: Buffer
  readonly files: number
  readonly leftOut: readonly string[]
}

/**
 * The files below a folder as a ZIP archive, small ones first, within limits. Links are not followed: evidence is what lies in the folder. A file that cannot be read is
 * noted. undefined where there is no file.
 */
export async function packFolder(folder: string, limits: PackLimits = packLimits): Promise<Packed | undefined> {
  const found = await filesBelow(folder)
  const entries: ZipEntry[] = []
  const leftOut: string[] = []
  let room = limits.totalBytes
  for (const { name, size, modified } of found) {
    const wanted = Math.min(size, limits.fileBytes)
    if (entries.length >= limits.files || wanted > room) {
      leftOut.push(`${name}: left out, ${size} bytes`)
      continue
    }
    try {
      const data = await lastBytes(path.join(folder, name), wanted)
      room -= data.length
      if (wanted < size) leftOut.push(`${name}: only its last ${wanted} of ${size} bytes`)
      entries.push({ name: storedName(name), data, modified })
    } catch (error) {
      leftOut.push(`${name}: ${messageOf(error)}`)
    }
  }
  if (entries.length === 0) return undefined
  const note: ZipEntry[] =
    leftOut.length === 0
      ? []
      : [{ name: noteName, data: Buffer.from(`${leftOut.join('\n')}\n`), modified: new Date(0) }]
  return { archive: await zip([...note, ...entries]), files: entries.length, leftOut }
}

/** Characters that GitHub's file systems refuse in an artifact; a path of the host may hold them. */
function storedName(name: string): string {
  return name.replace(/[":<>|*?\r\n\\]/g, '_')
}

async function filesBelow(
  folder: string,
): Promise<{ readonly name: string; readonly size: number; readonly modified: Date }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const file = path.join(entry.parentPath, entry.name)
        const name = path.relative(folder, file).split(path.sep).join('/')
        const facts = await stat(file).catch(() => undefined)
        return { name, size: facts?.size ?? 0, modified: facts?.mtime ?? new Date(0) }
      }),
  )
  return files.sort((a, b) => a.size - b.size || a.name.localeCompare(b.name))
}

async function lastBytes(file: string, count: number): Promise<Buffer> {
  const handle = await open(file, 'r')
  try {
    // A log that is still written to grows: what is there now is taken, and no more than was asked for.
    const { size } = await handle.stat()
    const buffer = Buffer.alloc(Math.min(count, size))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, Math.max(0, size - count))
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}
