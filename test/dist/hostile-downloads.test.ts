import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { recordFault } from '../support/fault-results.ts'
import { type BundleRun, runBundle } from './run-bundle.ts'

/** The built action against servers that send anything but the pinned file: the right reason, nothing kept, and the next run works. */
const program = Buffer.from(`#!/bin/sh\n${'# kind, as far as these tests go\n'.repeat(2_000)}`)
const digest = createHash('sha256').update(program).digest('hex')

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function serve(
  handler: Handler,
  tls?: { key: string; cert: string },
): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = []
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    requests.push(request.url ?? '')
    handler(request, response, requests.length)
  }
  server = tls === undefined ? createHttpServer(answer) : createHttpsServer(tls, answer)
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, requests }
}

function install(url: string, env: Record<string, string> = {}): Promise<BundleRun> {
  return runBundle('setup-cluster', {
    inputs: {
      'install-only': 'true',
      'image-source': 'registry',
      'download-base-url': url,
      'provider-version': `0.33.0@sha256:${digest}`,
      'kubectl-version': 'none',
    },
    env,
  })
}

const files = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)

const error = (run: BundleRun): string => run.commands.find(({ name }) => name === 'error')?.message ?? ''

/** Behaviour -> code and a part of the message, and how often it is asked. Stated before it is seen. */
const table: readonly (readonly [string, Handler, string, string, number])[] = [
  ['another file', (_, response) => response.end('#!/bin/sh\nevil\n'), 'DOWNLOAD_DIGEST', 'has the wrong digest', 1],
  [
    'a page with status 200',
    (_, response) => response.end('<html>Log in</html>'),
    'DOWNLOAD_HTML',
    'answered with an HTML page',
    1,
  ],
  [
    'a redirect to itself',
    (request, response) => response.writeHead(302, { location: request.url ?? '' }).end(),
    'DOWNLOAD_REDIRECT',
    'redirects go in a circle',
    1,
  ],
  ['404', (_, response) => response.writeHead(404).end(), 'DOWNLOAD_HTTP', 'answered HTTP 404', 1],
  [
    '429, always',
    (_, response) => response.writeHead(429, { 'retry-after': '0' }).end(),
    'DOWNLOAD_HTTP',
    'answered HTTP 429',
    4,
  ],
  [
    'half of it, always',
    (_, response) => {
      response.writeHead(200, { 'content-length': program.length })
      response.write(program.subarray(0, 1_000), () => response.destroy())
    },
    'DOWNLOAD_TRUNCATED',
    `of ${program.length} bytes`,
    4,
  ],
  [
    'it packed, and not as it was',
    (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('else')),
    'DOWNLOAD_ENCODING',
    'content-encoding gzip',
    1,
  ],
]

describe('a download server that sends', () => {
  it.each(table)('%s', async (what, handler, code, message, times) => {
    const { url, requests } = await serve(handler)
    const run = await install(url)
    const held = run.code === 1 && error(run).includes(code) && error(run).includes(message)
    const fault = `a download server that sends ${what}`
    recordFault({ section: 'creation', fault, expected: `${code}: ${message}`, seen: error(run), held })
    expect(run.code).toBe(1)
    expect(run.commands.filter(({ name }) => name === 'error')).toHaveLength(1)
    expect(error(run)).toContain(code)
    expect(error(run)).toContain(message)
    expect(requests).toHaveLength(times)
    expect(await files(path.join(run.folder, 'tools'))).toEqual([])
  })

  it('the way from https down to http', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'certificate-'))
    const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    await promisify(execFile)('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...subject])
    const tls = { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') }
    const { url } = await serve(
      (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:9/kind' }).end(),
      tls,
    )
    const trusting = { NODE_EXTRA_CA_CERTS: cert }
    const run = await install(url, trusting)
    expect(error(run)).toContain('DOWNLOAD_REDIRECT')
    expect(error(run)).toContain('away from https')
    // Who does not trust the certificate is told that, and not that the file is wrong.
    const distrusting = await install(url)
    expect(error(distrusting)).toContain('DOWNLOAD_NETWORK')
    expect(error(distrusting)).toMatch(/certificate/i)
    expect(distrusting.stdout).not.toContain('try 2 of')
  })
})

it('takes the kubectl of the server’s minor by its pin, from the same place', async () => {
  const { url, requests } = await serve((_, response) => response.end(program))
  const run = await runBundle('setup-cluster', {
    inputs: {
      'install-only': 'true',
      'image-source': 'registry',
      'kubernetes-version': '1.34',
      'download-base-url': `${url}/proxy/`,
      'provider-version': `0.33.0@sha256:${digest}`,
      'kubectl-version': 'server',
    },
  })
  expect(requests).toContain(
    `/proxy/release/v1.34.11/bin/linux/${process.arch === 'arm64' ? 'arm64' : 'amd64'}/kubectl`,
  )
  expect(error(run)).toContain('kubectl 1.34.11 has the wrong digest')
})

it('after a failure the next run works, and the one after needs no server', async () => {
  const { url } = await serve((_, response, count) => {
    if (count === 1) response.end('another file')
    else if (count === 2) response.writeHead(503, { 'retry-after': '0' }).end()
    else response.end(program)
  })
  const shared = await mkdtemp(path.join(tmpdir(), 'tool-cache-'))
  const env = { RUNNER_TOOL_CACHE: shared }
  expect(error(await install(url, env))).toContain('DOWNLOAD_DIGEST')
  expect(await files(shared)).toEqual([])
  const second = await install(url, env)
  expect(second.code, second.stdout).toBe(0)
  const found = second.path.trim().split('\n').at(-1) ?? ''
  expect(await readFile(path.join(found, 'kind'))).toEqual(program)
  server?.closeAllConnections()
  server?.close()
  const third = await install(url, env)
  expect(third.code, third.stdout).toBe(0)
})
