import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { saveState } from '../../../src/cluster/state.ts'
import { chooseImageSource } from '../../../src/pipeline/choose-image-source.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'
import { stateOf } from '../cluster/states.ts'

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
    expect(await chooseImageSource(testHost(), 'auto', { publicRegistry: await registry(status, headers) })).toBe(
      expected,
    )
  })

  it('auto: says why it builds where nothing answers', async () => {
    const log = recordingLogger()
    expect(await chooseImageSource(testHost({ log }), 'auto', { publicRegistry: 'http://127.0.0.1:1' })).toBe(
      'packages',
    )
    expect(log.lines.join()).toContain('http://127.0.0.1:1 cannot be reached')
  })

  it('auto: asks the mirror where one is given', async () => {
    const mirror = await registry(200, api)
    const hints = { registryMirror: `docker.io=${mirror}/prefix`, publicRegistry: 'http://127.0.0.1:1' }
    expect(await chooseImageSource(testHost(), 'auto', hints)).toBe('registry')
  })

  it('auto: takes what a ready cluster of that name was made with, whatever answers now', async () => {
    const host = testHost()
    await saveState(host, stateOf({ name: 'demo', imageSource: 'packages' }))
    const hints = { name: 'demo', publicRegistry: await registry(200, api) }
    expect(await chooseImageSource(host, 'auto', hints)).toBe('packages')
    await saveState(host, stateOf({ name: 'demo', imageSource: 'packages', phase: 'failed' }))
    expect(await chooseImageSource(host, 'auto', hints)).toBe('registry')
  })

  it('auto: a cancelled run is no answer', async () => {
    const host = testHost({ signal: AbortSignal.abort(new Error('cancelled')) })
    await expect(chooseImageSource(host, 'auto', { publicRegistry: 'http://127.0.0.1:1' })).rejects.toThrow('cancelled')
  })

  it('does as told otherwise, without looking', async () => {
    expect(await chooseImageSource(testHost(), 'registry', { publicRegistry: 'http://127.0.0.1:1' })).toBe('registry')
  })
})
