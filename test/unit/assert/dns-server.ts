import dgram from 'node:dgram'
import net, { type AddressInfo } from 'node:net'

/** Names of a small zone: data is what RFC 1035 wants after the type. */
const zone: Readonly<Record<string, { type: number; data: Buffer }[]>> = {
  'probe.ns.svc.cluster.local/1': [{ type: 1, data: Buffer.from([10, 96, 0, 7]) }],
  'headless.ns.svc.cluster.local/1': [
    { type: 1, data: Buffer.from([10, 244, 2, 3]) },
    { type: 1, data: Buffer.from([10, 244, 1, 3]) },
  ],
  '_http._tcp.probe.ns.svc.cluster.local/33': [
    { type: 33, data: Buffer.concat([Buffer.from([0, 0, 0, 100, 0, 80]), name('probe.ns.svc.cluster.local')]) },
  ],
  'external.ns.svc.cluster.local/1': [
    { type: 5, data: name('probe.ns.svc.cluster.local') },
    { type: 1, data: Buffer.from([10, 96, 0, 7]) },
  ],
  'six.ns.svc.cluster.local/28': [{ type: 28, data: Buffer.from('fd000000000000000000000000000007', 'hex') }],
}

function name(text: string): Buffer {
  return Buffer.concat([
    ...text.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.from([0]),
  ])
}

function answerDns(query: Buffer, overUdp: boolean): Buffer {
  let at = 12
  const labels: string[] = []
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.subarray(at + 1, at + 1 + length).toString())
    at += 1 + length
  }
  const type = query.readUInt16BE(at + 1)
  const asked = labels.join('.')
  const records = zone[`${asked}/${type}`] ?? []
  const cut = overUdp && asked.startsWith('headless')
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(0x8180 | (cut ? 0x0200 : 0) | (records.length === 0 ? 3 : 0), 2)
  header.writeUInt16BE(cut ? 0 : records.length, 6)
  const answers = records.map(({ type: recordType, data }) => {
    const fixed = Buffer.alloc(12)
    // A pointer to the name in the question, as real servers send it.
    fixed.writeUInt16BE(0xc00c, 0)
    fixed.writeUInt16BE(recordType, 2)
    fixed.writeUInt16BE(1, 4)
    fixed.writeUInt16BE(data.length, 10)
    return Buffer.concat([fixed, data])
  })
  return Buffer.concat([header, query.subarray(12, at + 5), ...(cut ? [] : answers)])
}

/** Answers from the zone over UDP and TCP on one port; the closers end it. */
export async function startDnsServer(closers: (() => void)[]): Promise<number> {
  const tcp = net.createServer((socket) => {
    socket.on('data', (data) => {
      const answer = answerDns(data.subarray(2), false)
      const length = Buffer.alloc(2)
      length.writeUInt16BE(answer.length)
      socket.write(length)
      socket.write(answer.subarray(0, 10))
      // A TCP answer may come in pieces.
      setTimeout(() => socket.end(answer.subarray(10)), 5)
    })
  })
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve))
  closers.push(() => tcp.close())
  const { port } = tcp.address() as AddressInfo
  const udp = dgram.createSocket('udp4')
  closers.push(() => udp.close())
  udp.on('message', (query, from) => udp.send(answerDns(query, true), from.port, from.address))
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve))
  return port
}
