import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { chooseImageSource } from '../../../src/pipeline/choose-image-source.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'

const servers: http.Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function registry(status: number, headers: Record<string, string>): Promise<string> {
  const server = http.createServer((_request, response) => response.writeHead(status, headers).end('hello'))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('image source', () => {
  const api = { 'docker-distribution-api-version': 'registry/2.0' }
  it.each([
    [200, api, 'registry'],
    [401, api, 'registry'],
    [200, {}, 'packages'],
    [302, { location: 'http://elsewhere/' }, 'packages'],
    [403, api, 'packages'],
  ])('auto: an answer of %d with %j means %s', async (status, headers, expected) => {
    expect(await chooseImageSource(testHost(), 'auto', await registry(status, headers))).toBe(expected)
  })

  it('auto: says why it builds where nothing answers', async () => {
    const log = recordingLogger()
    expect(await chooseImageSource(testHost({ log }), 'auto', 'http://127.0.0.1:1')).toBe('packages')
    expect(log.lines.join()).toContain('http://127.0.0.1:1 cannot be reached')
  })

  it('does as told otherwise, without looking', async () => {
    expect(await chooseImageSource(testHost(), 'registry', 'http://127.0.0.1:1')).toBe('registry')
  })
})
