import { promisify } from 'node:util'
import { crc32, deflateRaw } from 'node:zlib'

export interface ZipEntry {
  /** Relative, with forward slashes. */
  readonly name: string
  readonly data: Buffer
  readonly modified: Date
}

const compress = promisify(deflateRaw)
/** Version of the format that a reader must know: 2.0 has deflate. */
const version = 20
/** Bit 11: names are UTF-8. */
const utf8Names = 0x0800
const deflated = 8
/** "Made by" Unix, so that the mode in the external attributes counts: a plain file that its owner may write and all may read. */
const madeByUnix = (3 << 8) | version
const plainFile = (0o100644 << 16) >>> 0

/** A ZIP archive of a few files, whole in memory: APPNOTE 6.3 without ZIP64, so below 65,535 entries and 4 GiB, which the caller's limits keep far away. */
export async function zip(entries: readonly ZipEntry[]): Promise<Buffer> {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const entry of entries) {
    const name = Buffer.from(entry.name)
    const content = await compress(entry.data)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(version, 0)
    common.writeUInt16LE(utf8Names, 2)
    common.writeUInt16LE(deflated, 4)
    common.writeUInt32LE(dosTime(entry.modified), 6)
    common.writeUInt32LE(crc32(entry.data), 10)
    common.writeUInt32LE(content.length, 14)
    common.writeUInt32LE(entry.data.length, 18)
    common.writeUInt16LE(name.length, 22)
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(plainFile, 6)
    tail.writeUInt32LE(offset, 10)
    directory.push(signature(0x02014b50), uint16(madeByUnix), common, tail, name)
    const file = [signature(0x04034b50), common, name, content]
    parts.push(...file)
    offset += file.reduce((size, part) => size + part.length, 0)
  }
  const listing = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 4)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(listing.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...parts, listing, signature(0x06054b50), end])
}

function signature(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

/** MS-DOS date and time, which begin in 1980 and count two seconds; there is no time zone, so UTC. */
function dosTime(time: Date): number {
  const year = Math.min(Math.max(time.getUTCFullYear(), 1980), 2107) - 1980
  const date = (year << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate()
  const clock = (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1)
  return ((date << 16) | clock) >>> 0
}
