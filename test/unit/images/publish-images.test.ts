import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { publishImages } from '../../../src/images/publish-images.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'

const images = [
  { localTag: 'k8s-platform/redis:1', upstreamName: 'docker.io/library/redis:7.0' },
  { localTag: 'k8s-platform/pause:1', upstreamName: 'registry.k8s.io/pause:3.10.1' },
]

let server: Server
let address: string
/** Repository and tag to digest, as the registry stores it. */
let stored: Map<string, string>

beforeEach(async () => {
  stored = new Map()
  server = createServer((request, response) => {
    const [, name, tag] = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(request.url ?? '') ?? []
    const digest = stored.get(`${name}:${tag}`)
    response.writeHead(
      digest === undefined ? 404 : 200,
      digest === undefined ? {} : { 'docker-content-digest': digest },
    )
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve))
})

/** A Docker whose pushes reach the registry; `idOf` gives the id of a local name. */
function docker(idOf: (name: string) => string) {
  return scriptedExec([
    [/^docker image inspect /, (line) => line.split(' ').slice(5).map(idOf).join('\n')],
    [/^docker tag /, ''],
    [
      /^docker push /,
      (line) => {
        const name = line.split(' ').at(-1)?.replace(`${address}/`, '') ?? ''
        stored.set(name, `sha256:of-${name}`)
        return ''
      },
    ],
    [/^docker rmi /, ''],
  ])
}

describe('publishImages', () => {
  it('pushes under the upstream host as a path, once', async () => {
    const exec = docker((name) => `sha256:${name}`)
    const host = testHost({ exec })
    const first = await publishImages(host, { pushAddress: address }, images)
    expect(first.pushed).toEqual(images.map((image) => image.upstreamName))
    expect([...stored.keys()].toSorted()).toEqual(images.map((image) => image.upstreamName))
    const before = exec.calls.length
    expect(await publishImages(host, { pushAddress: address }, images)).toEqual({
      pushed: [],
      skipped: images.map((image) => image.upstreamName),
    })
    expect(exec.calls.slice(before).filter((line) => line.startsWith('docker push'))).toEqual([])
  })

  it('pushes again what the registry has lost, and what is another image now', async () => {
    let generation = 1
    const host = testHost({ exec: docker((name) => `sha256:${name}${name.includes('redis') ? generation : ''}`) })
    await publishImages(host, { pushAddress: address }, images)
    stored.delete('registry.k8s.io/pause:3.10.1')
    generation = 2
    expect(await publishImages(host, { pushAddress: address }, images)).toEqual({
      pushed: ['docker.io/library/redis:7.0', 'registry.k8s.io/pause:3.10.1'],
      skipped: [],
    })
  })

  it('says which registry does not answer', async () => {
    const host = testHost({ exec: docker((name) => name) })
    await publishImages(host, { pushAddress: address }, images)
    await expect(publishImages(host, { pushAddress: '127.0.0.1:1' }, images)).rejects.toThrow(
      'no answer from the registry at 127.0.0.1:1',
    )
  })
})
