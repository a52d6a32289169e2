import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, describe, expect, it } from 'vitest'
import { pullOnHost } from '../../src/cluster/image-pull.ts'
import { mirroredImage, parseRegistryMirrors } from '../../src/cluster/mirrors.ts'
import { recordFault } from '../support/fault-results.ts'
import { recordingLogger, testHost } from '../support/test-host.ts'

/** Mirrors that do everything but serve the node image, and this machine's Docker, whose words are what we read the fault from. */
const digest = `sha256:${'a'.repeat(64)}`
const image = `docker.io/kindest/node:v1.34.3@${digest}`
const manifestType = 'application/vnd.docker.distribution.manifest.v2+json'

const config = { mediaType: 'application/vnd.docker.container.image.v1+json', size: 2, digest }
const another = { schemaVersion: 2, mediaType: manifestType, config, layers: [] }

type Handler = (request: IncomingMessage, response: ServerResponse) => void

let server: Server | undefined
afterEach(() => server?.close())

async function mirror(handler: Handler, address = '127.0.0.1'): Promise<string> {
  server = createServer((request, response) => {
    response.setHeader('docker-distribution-api-version', 'registry/2.0')
    handler(request, response)
  })
  await new Promise<void>((resolve) => server?.listen(0, address, resolve))
  return `${address}:${(server.address() as AddressInfo).port}`
}

const isPing = (request: IncomingMessage): boolean => request.url === '/v2/'
const problem = (response: ServerResponse, status: number, code: string): void => {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }))
}

/** Fault -> what the error must say of the mirror, and how often Docker is asked. Stated before it is seen. */
const table: readonly (readonly [string, Handler, RegExp, number])[] = [
  [
    'answers with an HTML page',
    (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Log in</html>'),
    /answered with a page, not with an image/,
    1,
  ],
  [
    'has another image under the digest',
    (request, response) => {
      if (isPing(request)) response.end('{}')
      else response.writeHead(200, { 'content-type': manifestType }).end(JSON.stringify(another))
    },
    /gave another image than the digest names/,
    1,
  ],
  [
    'has a rate limit',
    (request, response) => (isPing(request) ? response.end('{}') : problem(response, 429, 'TOOMANYREQUESTS')),
    /refuses more pulls for now \(rate limit\)/,
    3,
  ],
  [
    'does not have the image',
    (request, response) => (isPing(request) ? response.end('{}') : problem(response, 404, 'MANIFEST_UNKNOWN')),
    /does not have it/,
    1,
  ],
  [
    'wants credentials',
    (_, response) => {
      response.setHeader('www-authenticate', 'Basic realm="mirror"')
      problem(response, 401, 'UNAUTHORIZED')
    },
    /wants credentials/,
    1,
  ],
  ['breaks off', (request, response) => (isPing(request) ? response.end('{}') : response.destroy()), /broke off/, 3],
]

async function pull(address: string): Promise<{ message: string; code: string; tries: number }> {
  const log = recordingLogger()
  const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' }
  const name = mirroredImage(image, parseRegistryMirrors(`docker.io=http://${address}`))
  const failure = await pullOnHost(testHost({ env, log }), name, 1).then(
    () => ({ message: 'pulled', code: '' }),
    (error: { message: string; code: string }) => error,
  )
  const tries = 1 + log.lines.filter((line) => / try \d of 3/.test(line)).length
  return { message: failure.message, code: failure.code, tries }
}

function judge(fault: string, expected: RegExp, seen: Awaited<ReturnType<typeof pull>>, times: number): void {
  const held = seen.code === 'IMAGE_PULL_FAILED' && expected.test(seen.message) && seen.tries === times
  recordFault({
    section: 'creation',
    fault: `a mirror that ${fault}`,
    expected: expected.source,
    seen: seen.message,
    held,
  })
  expect(seen.message).toMatch(expected)
  expect(seen).toMatchObject({ code: 'IMAGE_PULL_FAILED', tries: times })
}

describe('a mirror that', () => {
  it.each(table)('%s is named with its fault', async (fault, handler, expected, times) => {
    const address = await mirror(handler)
    const seen = await pull(address)
    expect(seen.message).toContain(`the registry at ${address} `)
    judge(fault, expected, seen, times)
  })

  it('is down is named', async () => {
    const address = await mirror((_, response) => response.end())
    await new Promise((resolve) => server?.close(resolve))
    judge('is down', /cannot be reached/, await pull(address), 3)
  })

  it('speaks plain HTTP from elsewhere is named', async () => {
    const outer = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ family, internal }) => family === 'IPv4' && !internal)
    const address = await mirror((_, response) => response.end('{}'), outer?.address)
    judge('speaks plain HTTP', /speaks plain HTTP/, await pull(address), 1)
  })
})
