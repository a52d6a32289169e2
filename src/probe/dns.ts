import { randomInt } from 'node:crypto'
import dgram from 'node:dgram'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { classify, type Outcome } from './dial.ts'
import { type DnsMessage, decodeAnswer, encodeQuery } from './dns-message.ts'
import type { DnsAnswer, DnsRequest } from './protocol.ts'

interface Server {
  readonly address: string
  readonly port: number
}

export interface ResolvConf {
  readonly nameservers: readonly string[]
  readonly search: readonly string[]
  readonly ndots: number
}

export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = []
  let search: string[] = []
  let ndots = 1
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/)
    if (keyword === 'nameserver' && values[0] !== undefined) nameservers.push(values[0])
    // The last one wins, as in resolv.conf(5).
    if (keyword === 'search') search = values
    if (keyword === 'options') {
      const option = values.find((value) => /^ndots:\d+$/.test(value))
      if (option !== undefined) ndots = Number(option.slice('ndots:'.length))
    }
  }
  return { nameservers, search, ndots }
}

export function readResolvConf(): ResolvConf {
  try {
    return parseResolvConf(readFileSync('/etc/resolv.conf', 'utf8'))
  } catch {
    return { nameservers: [], search: [], ndots: 1 }
  }
}

/** Names to ask one after the other, as the C library does: with at least `ndots` dots the name itself comes first, else last. */
export function candidates(name: string, conf: Pick<ResolvConf, 'search' | 'ndots'>): string[] {
  if (name.endsWith('.')) return [name]
  const dots = name.split('.').length - 1
  const searched = conf.search.map((domain) => `${name}.${domain}`)
  return dots >= conf.ndots ? [name, ...searched] : [...searched, name]
}

/**
 * Asks one server over one transport. A lookup that the server answered is `connected`, whatever the answer is (NXDOMAIN too); the caller judges it.
 */
export async function probeDns(request: DnsRequest, conf: ResolvConf = readResolvConf()): Promise<Outcome> {
  const address = request.server?.address ?? conf.nameservers[0]
  if (address === undefined) return { dial: 'dns', detail: 'no nameserver in /etc/resolv.conf' }
  const server: Server = { address, port: request.server?.port ?? 53 }
  const deadline = performance.now() + request.timeoutMs
  let last: DnsAnswer | undefined
  try {
    for (const name of request.search ? candidates(request.name, conf) : [request.name]) {
      const answer = await ask(server, name, request, deadline)
      if (answer.answers.length > 0) return { dial: 'connected', dns: answer }
      // A server's failure tells more than the NXDOMAIN of a later candidate.
      if (last === undefined || last.rcode === 'NXDOMAIN') last = answer
    }
  } catch (error) {
    return classify(error)
  }
  return last === undefined ? { dial: 'error', detail: 'no name to ask' } : { dial: 'connected', dns: last }
}

async function ask(server: Server, name: string, request: DnsRequest, deadline: number): Promise<DnsAnswer> {
  const id = randomInt(0x10000)
  const query = encodeQuery(id, name, request.type)
  let message =
    request.transport === 'tcp' ? await overTcp(server, query, deadline) : await overUdp(server, query, id, deadline)
  const truncated = message.truncated && request.transport === 'udp'
  if (truncated) message = await overTcp(server, query, deadline)
  const wanted = message.records.filter((record) => record.type === request.type)
  return {
    name: name.replace(/\.$/, ''),
    rcode: message.rcode,
    answers: wanted.map((record) => record.data).sort(),
    aliases: message.records.filter((record) => record.type === 'CNAME').map((record) => record.data),
    server: `${server.address}:${server.port}`,
    truncated,
  }
}

function timeoutError(server: Server, transport: string): Error {
  const error = new Error(`no answer of ${server.address}:${server.port} over ${transport}`)
  return Object.assign(error, { code: 'ETIMEDOUT' })
}

function overUdp(server: Server, query: Buffer, id: number, deadline: number): Promise<DnsMessage> {
  return new Promise((resolve, reject) => {
    // A connected socket hears ICMP errors (refused) and takes answers of this server only.
    const socket = dgram.createSocket(net.isIPv6(server.address) ? 'udp6' : 'udp4')
    const finish = (end: () => void): void => {
      clearTimeout(timer)
      socket.close()
      end()
    }
    const timer = setTimeout(
      () => finish(() => reject(timeoutError(server, 'UDP'))),
      Math.max(1, deadline - performance.now()),
    )
    socket.on('error', (error) => finish(() => reject(error)))
    socket.on('message', (data) => {
      try {
        const message = decodeAnswer(data)
        if (message.id === id) finish(() => resolve(message))
      } catch (error) {
        finish(() => reject(error))
      }
    })
    socket.connect(server.port, server.address, () => socket.send(query))
  })
}

function overTcp(server: Server, query: Buffer, deadline: number): Promise<DnsMessage> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: server.address, port: server.port })
    const chunks: Buffer[] = []
    const finish = (end: () => void): void => {
      clearTimeout(timer)
      socket.destroy()
      end()
    }
    const timer = setTimeout(
      () => finish(() => reject(timeoutError(server, 'TCP'))),
      Math.max(1, deadline - performance.now()),
    )
    socket.on('error', (error) => finish(() => reject(error)))
    socket.on('end', () =>
      finish(() => reject(new Error('the server closed the connection before its answer was whole'))),
    )
    socket.on('connect', () => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(query.length)
      socket.write(Buffer.concat([length, query]))
    })
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      const data = Buffer.concat(chunks)
      if (data.length < 2 || data.length < 2 + data.readUInt16BE(0)) return
      try {
        const message = decodeAnswer(data.subarray(2, 2 + data.readUInt16BE(0)))
        finish(() => resolve(message))
      } catch (error) {
        finish(() => reject(error))
      }
    })
  })
}
