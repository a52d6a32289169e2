import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../../../src/process/log.ts'
import { download } from '../../../src/tools/download.ts'

const body = Buffer.from('#!/bin/true\n'.repeat(20_000))
const sha256 = createHash('sha256').update(body).digest('hex')

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

let server: Server
let base: string
let folder: string
let handler: Handler
let requests: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'download-'))
  requests = []
  server = createServer((request, response) => {
    requests.push(request.url ?? '')
    handler(request, response, requests.length)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true, force: true })
})

const fetchFile = (
  options: {
    path?: string
    signal?: AbortSignal
    attempts?: number
    sha256?: string
    backOffMs?: number
    idleMs?: number
    timeoutMs?: number
  } = {},
): Promise<void> =>
  download(
    { log: silentLogger, signal: options.signal ?? new AbortController().signal },
    {
      what: 'kind 0.33.0',
      url: `${base}${options.path ?? '/kind'}`,
      sha256: options.sha256 ?? sha256,
      destination: join(folder, 'bin', 'kind'),
      backOffMs: options.backOffMs ?? 1,
      ...(options.idleMs === undefined ? {} : { idleMs: options.idleMs }),
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      attempts: options.attempts ?? 3,
    },
  )

const leftInFolder = async (): Promise<string[]> => readdir(join(folder, 'bin')).catch(() => [])

describe('download', () => {
  it('puts the verified file in place, executable', async () => {
    handler = (_request, response) => response.end(body)
    await fetchFile()
    expect(await readFile(join(folder, 'bin', 'kind'))).toEqual(body)
    expect((await stat(join(folder, 'bin', 'kind'))).mode & 0o777).toBe(0o755)
    expect(await leftInFolder()).toEqual(['kind'])
  })

  it('follows redirects to the file', async () => {
    handler = (request, response) =>
      request.url === '/kind' ? response.writeHead(302, { location: '/real' }).end() : response.end(body)
    await fetchFile()
    expect(requests).toEqual(['/kind', '/real'])
  })

  it('tries a server error again and succeeds', async () => {
    handler = (_request, response, count) => (count < 3 ? response.writeHead(503).end() : response.end(body))
    await fetchFile()
    expect(requests).toHaveLength(3)
  })

  it('gives up after the last try with the status', async () => {
    handler = (_request, response) => response.writeHead(503).end()
    await expect(fetchFile()).rejects.toMatchObject({
      code: 'DOWNLOAD_HTTP',
      message: expect.stringContaining('HTTP 503'),
    })
    expect(requests).toHaveLength(3)
  })

  it('does not repeat a request that was refused for good', async () => {
    handler = (_request, response) => response.writeHead(404).end()
    await expect(fetchFile()).rejects.toMatchObject({
      code: 'DOWNLOAD_HTTP',
      message: expect.stringContaining('HTTP 404'),
    })
    expect(requests).toHaveLength(1)
  })

  it('calls a wrong digest by its name, at once, and leaves nothing behind', async () => {
    handler = (_request, response) => response.end(Buffer.concat([body, Buffer.from('x')]))
    await expect(fetchFile()).rejects.toMatchObject({ code: 'DOWNLOAD_DIGEST' })
    expect(requests).toHaveLength(1)
    expect(await leftInFolder()).toEqual([])
  })

  it('tells a truncated body from a wrong digest', async () => {
    handler = (_request, response) => {
      response.writeHead(200, { 'content-length': String(body.length) })
      response.write(body.subarray(0, 1000), () => response.destroy())
    }
    await expect(fetchFile()).rejects.toMatchObject({
      code: 'DOWNLOAD_TRUNCATED',
      message: expect.stringContaining(`of ${body.length} bytes`),
    })
    expect(requests).toHaveLength(3)
    expect(await leftInFolder()).toEqual([])
  })

  it('recovers from a body that broke once', async () => {
    handler = (_request, response, count) => {
      if (count > 1) {
        response.end(body)
        return
      }
      response.writeHead(200, { 'content-length': String(body.length) })
      response.write(body.subarray(0, 1000), () => response.destroy())
    }
    await fetchFile()
    expect(await readFile(join(folder, 'bin', 'kind'))).toEqual(body)
  })

  it.each([
    ['by its type', { 'content-type': 'text/html; charset=utf-8' }, 'hello'],
    ['by its first bytes', { 'content-type': 'application/octet-stream' }, '\n <!DOCTYPE html><title>Log in</title>'],
  ])('names an HTML page, seen %s', async (_how, headers, text) => {
    handler = (_request, response) => response.writeHead(200, headers).end(text)
    await expect(fetchFile()).rejects.toMatchObject({ code: 'DOWNLOAD_HTML' })
    expect(requests).toHaveLength(1)
  })

  it('stops at a redirect that goes in a circle', async () => {
    handler = (request, response) => response.writeHead(302, { location: request.url === '/a' ? '/b' : '/a' }).end()
    await expect(fetchFile({ path: '/a' })).rejects.toMatchObject({
      code: 'DOWNLOAD_REDIRECT',
      message: expect.stringContaining('in a circle'),
    })
    expect(requests).toEqual(['/a', '/b'])
  })

  it('stops after five redirects that never repeat', async () => {
    handler = (_request, response, count) => response.writeHead(302, { location: `/${count}` }).end()
    await expect(fetchFile()).rejects.toMatchObject({
      code: 'DOWNLOAD_REDIRECT',
      message: expect.stringContaining('more than 5'),
    })
    expect(requests).toHaveLength(6)
  })

  it('names a server that is not there', async () => {
    handler = (_request, response) => response.end()
    const url = base
    await new Promise((resolve) => server.close(resolve))
    await expect(fetchFile({ attempts: 2 })).rejects.toMatchObject({
      code: 'DOWNLOAD_NETWORK',
      message: expect.stringContaining('ECONNREFUSED'),
    })
    expect(url).toBe(base)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })

  it('ends when the run is cancelled', async () => {
    const controller = new AbortController()
    handler = (_request, response) => {
      response.writeHead(200, { 'content-length': String(body.length) })
      response.write(body.subarray(0, 1000), () => controller.abort())
    }
    await expect(fetchFile({ signal: controller.signal })).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(await leftInFolder()).toEqual([])
  })

  it('waits as long as the server asks', async () => {
    handler = (_request, response, count) =>
      count === 1 ? response.writeHead(429, { 'retry-after': '0.05' }).end() : response.end(body)
    const started = performance.now()
    await fetchFile()
    expect(performance.now() - started).toBeGreaterThan(45)
  })

  it('takes a date for when to come back, by the server’s own clock, and never waits for hours', async () => {
    const now = 'Sat, 21 Nov 2026 12:00:00 GMT'
    handler = (_request, response, count) =>
      count === 1 ? response.writeHead(503, { date: now, 'retry-after': now }).end() : response.end(body)
    // The pause between tries would be an hour.
    await fetchFile({ backOffMs: 3_600_000 })
    expect(requests).toHaveLength(2)
  })

  it('takes a file that was packed on the way, when unpacked it is the one', async () => {
    handler = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(body))
    await fetchFile()
    expect(await readFile(join(folder, 'bin', 'kind'))).toEqual(body)
  })

  it.each([
    ['an archive that was stored as if it were packed for the way', () => gzipSync(body), () => gzipSync(body)],
    ['what is no gzip at all', () => body, () => body],
  ])('does not call it tampering when an encoding spoils the file: %s', async (_what, pinned, sent) => {
    handler = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(sent())
    const digest = createHash('sha256').update(pinned()).digest('hex')
    await expect(fetchFile({ sha256: digest })).rejects.toMatchObject({ code: 'DOWNLOAD_ENCODING' })
    expect(requests).toHaveLength(1)
    expect(await leftInFolder()).toEqual([])
  })

  it.each([
    ['says nothing', (_response: ServerResponse) => {}],
    ['drips', (response: ServerResponse) => drip(response)],
    ['stops in the middle', (response: ServerResponse) => void response.write(body.subarray(0, 5_000))],
  ])('gives up on a server that %s', async (_how, act) => {
    handler = (_request, response) => act(response)
    await expect(fetchFile({ idleMs: 60, attempts: 2 })).rejects.toMatchObject({
      code: 'DOWNLOAD_TIMEOUT',
      message: expect.stringContaining('stalled'),
    })
    // On a machine that is busy a try may end before it reaches the server.
    expect(requests.length).toBeLessThanOrEqual(2)
    expect(await leftInFolder()).toEqual([])
  })

  it('has one deadline for all tries', async () => {
    handler = (_request, response) => response.writeHead(503).end()
    await expect(fetchFile({ timeoutMs: 80, attempts: 1_000, backOffMs: 30 })).rejects.toMatchObject({
      code: expect.stringMatching(/^DOWNLOAD_(TIMEOUT|HTTP)$/),
    })
    expect(requests.length).toBeLessThan(10)
  })

  it('is not taken in by a length that is too short', async () => {
    handler = (_request, response) => {
      response.socket?.write(`HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n`)
      response.socket?.end(body)
    }
    await expect(fetchFile()).rejects.toMatchObject({
      code: 'DOWNLOAD_DIGEST',
      message: expect.stringContaining('1000 bytes'),
    })
    expect(await leftInFolder()).toEqual([])
  })

  it('names the XML of an object store, and a comment before a page', async () => {
    handler = (_request, response, count) =>
      response.end(count === 1 ? '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>' : '<!-- x --><html>')
    for (const _ of [1, 2]) await expect(fetchFile()).rejects.toMatchObject({ code: 'DOWNLOAD_HTML' })
  })
})

/** A byte now and then, for as long as somebody listens. */
function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write('x'), 5)
  response.on('close', () => clearInterval(timer))
}
