import type { RecordType } from './protocol.ts'

/** Numbers of RFC 1035, 2782 and 3596. */
const typeNumbers: Readonly<Record<RecordType, number>> = { A: 1, CNAME: 5, PTR: 12, AAAA: 28, SRV: 33 }
const typeNames = new Map(Object.entries(typeNumbers).map(([name, number]) => [number, name as RecordType]))
const rcodes: Readonly<Record<number, string>> = { 0: 'NOERROR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 5: 'REFUSED' }

export interface DnsRecord {
  readonly name: string
  readonly type: RecordType
  /** Address; `priority weight port target` for SRV; otherwise a name without the final dot. */
  readonly data: string
}

export interface DnsMessage {
  readonly id: number
  readonly rcode: string
  readonly truncated: boolean
  readonly records: readonly DnsRecord[]
}

/** A question of class IN with recursion desired. The name is absolute, with or without the final dot. */
export function encodeQuery(id: number, name: string, type: RecordType): Buffer {
  const labels = name.replace(/\.$/, '').split('.')
  const parts: Buffer[] = []
  for (const label of labels) {
    const bytes = Buffer.from(label, 'latin1')
    if (bytes.length === 0 || bytes.length > 63) throw new Error(`not a DNS name: ${JSON.stringify(name)}`)
    parts.push(Buffer.from([bytes.length]), bytes)
  }
  const header = Buffer.alloc(12)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(0x0100, 2)
  header.writeUInt16BE(1, 4)
  const tail = Buffer.alloc(5)
  tail.writeUInt16BE(typeNumbers[type], 1)
  tail.writeUInt16BE(1, 3)
  return Buffer.concat([header, ...parts, tail])
}

/** @throws Error when the bytes are not a DNS answer. */
export function decodeAnswer(message: Buffer): DnsMessage {
  if (message.length < 12) throw new Error(`a DNS answer of ${message.length} bytes is too short`)
  const flags = message.readUInt16BE(2)
  if ((flags & 0x8000) === 0) throw new Error('not an answer: the QR bit is not set')
  const questions = message.readUInt16BE(4)
  const answers = message.readUInt16BE(6)
  let offset = 12
  for (let i = 0; i < questions; i++) offset = readName(message, offset).next + 4
  const records: DnsRecord[] = []
  for (let i = 0; i < answers && offset < message.length; i++) {
    const owner = readName(message, offset)
    const type = typeNames.get(message.readUInt16BE(owner.next))
    const length = message.readUInt16BE(owner.next + 8)
    const start = owner.next + 10
    if (type !== undefined) records.push({ name: owner.name, type, data: readData(message, type, start, length) })
    offset = start + length
  }
  const code = flags & 0x000f
  return {
    id: message.readUInt16BE(0),
    rcode: rcodes[code] ?? `RCODE${code}`,
    truncated: (flags & 0x0200) !== 0,
    records,
  }
}

function readData(message: Buffer, type: RecordType, start: number, length: number): string {
  if (type === 'A') return [...message.subarray(start, start + 4)].join('.')
  if (type === 'AAAA') {
    const groups = Array.from({ length: length / 2 }, (_, i) => message.readUInt16BE(start + 2 * i).toString(16))
    // The URL parser knows the canonical form of an address.
    return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
  }
  if (type === 'SRV') {
    const numbers = [0, 2, 4].map((at) => message.readUInt16BE(start + at))
    return `${numbers.join(' ')} ${readName(message, start + 6).name}`
  }
  return readName(message, start).name
}

/** A name may point back into the message (RFC 1035, 4.1.4). A name has at most 127 labels: more means a loop of pointers. */
function readName(message: Buffer, offset: number): { name: string; next: number } {
  const labels: string[] = []
  let at = offset
  let next: number | undefined
  for (;;) {
    const length = message.readUInt8(at)
    if (length === 0) return { name: labels.join('.').toLowerCase(), next: next ?? at + 1 }
    if ((length & 0xc0) === 0xc0) {
      const target = message.readUInt16BE(at) & 0x3fff
      next ??= at + 2
      if (target >= at) throw new Error('a DNS name points forward')
      at = target
      continue
    }
    if (labels.length > 127) throw new Error('a DNS name without an end')
    labels.push(message.subarray(at + 1, at + 1 + length).toString('latin1'))
    at += 1 + length
  }
}
