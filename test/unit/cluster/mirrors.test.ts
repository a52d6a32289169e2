import { describe, expect, it } from 'vitest'
import {
  hostsFiles,
  mirroredHosts,
  mirroredImage,
  parseRegistryMirrors,
  refuseLoopback,
} from '../../../src/cluster/mirrors.ts'

describe('parseRegistryMirrors', () => {
  it('takes a bare URL as a mirror of docker.io', () => {
    expect({ ...parseRegistryMirrors('https://mirror.example.com/') }).toEqual({
      'docker.io': 'https://mirror.example.com',
    })
    expect({ ...parseRegistryMirrors(undefined) }).toEqual({})
  })

  it('takes one URL per host, and a pattern for the rest', () => {
    const mirrors = parseRegistryMirrors(
      'quay.io=https://q.example.com/proxy\n*=https://m.example.com/{host}, ghcr.io=https://late.example.com',
    )
    expect(mirrors['quay.io']).toBe('https://q.example.com/proxy')
    expect(mirrors['docker.io']).toBe('https://m.example.com/docker.io')
    expect(mirrors['ghcr.io']).toBe('https://m.example.com/ghcr.io')
  })

  it('reports everything wrong at once, and no credentials', () => {
    expect(() =>
      parseRegistryMirrors('mirror.example.com https://user:secret@m.example.com quay io=https://x'),
    ).toThrow(expect.objectContaining({ message: expect.not.stringContaining('secret') }))
    expect(() => parseRegistryMirrors('mirror.example.com ftp://x')).toThrow(/2 problems/)
  })
})

describe('refuseLoopback', () => {
  it.each(['http://127.0.0.1:5000', 'https://localhost/x', 'http://[::1]:5000', 'http://m.localhost'])(
    'refuses %s, which is the node itself inside of a node',
    (url) => {
      expect(() => refuseLoopback(parseRegistryMirrors(`quay.io=${url}`))).toThrow(/means the node itself/)
    },
  )

  it('takes what nodes can reach', () => {
    refuseLoopback(parseRegistryMirrors('https://localhost.example.com *=https://172.17.0.1:5443/{host}'))
  })
})

describe('mirroredImage', () => {
  const mirrors = parseRegistryMirrors('*=https://m.example.com:5000/{host}')

  it('names the image as the mirror has it', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    expect(mirroredImage(`docker.io/kindest/node:v1@${digest}`, mirrors)).toBe(
      `m.example.com:5000/docker.io/kindest/node:v1@${digest}`,
    )
  })

  it.each([
    ['kindest/node:v1', 'kindest/node:v1'],
    ['node', 'library/node'],
    ['constructor/app:1', 'constructor/app:1'],
  ])('knows that %s is of docker.io', (image, there) => {
    expect(mirroredImage(image, mirrors)).toBe(`m.example.com:5000/docker.io/${there}`)
  })

  it.each(['example.com/app:1', 'constructor:5000/app:1', 'no image'])('leaves %s alone', (image) => {
    expect(mirroredImage(image, mirrors)).toBe(image)
  })
})

describe('hostsFiles', () => {
  it('sends every host to the local registry and nowhere else when sealed', () => {
    const files = hostsFiles({ registry: 'http://demo-registry:5000', registryPort: 5001, upstream: {}, sealed: true })
    expect(files.map((file) => file.host)).toEqual([...mirroredHosts, '127.0.0.1:5001', 'localhost:5001'])
    expect(files.find((file) => file.host === 'quay.io')?.content).toBe(
      [
        'server = "http://demo-registry:5000/v2/quay.io"',
        'override_path = true',
        '',
        '[host."http://demo-registry:5000/v2/quay.io"]',
        '  capabilities = ["pull", "resolve"]',
        '  override_path = true',
        '',
      ].join('\n'),
    )
    expect(files.map((file) => file.content).join('')).not.toContain('https://')
  })

  it('asks the registry of what was loaded into this cluster before the one that it shares', () => {
    const registry = 'http://demo-registry:5000'
    const files = hostsFiles({ registry, loaded: 'http://demo-loaded:5000', upstream: {}, sealed: true })
    expect(files.map(({ host }) => host)).toEqual([...mirroredHosts])
    for (const { host, content } of files) {
      expect(content.split('\n').filter((line) => /^(server|\[host)/.test(line))).toEqual([
        `server = "http://demo-registry:5000/v2/${host}"`,
        `[host."http://demo-loaded:5000/v2/${host}"]`,
        `[host."http://demo-registry:5000/v2/${host}"]`,
      ])
    }
  })

  it('asks the local registry, then the mirror given, then the upstream', () => {
    const files = hostsFiles({
      registry: 'http://demo-registry:5000',
      upstream: { 'docker.io': 'https://m.example.com/dh' },
      sealed: false,
    })
    const lines = files.find((file) => file.host === 'docker.io')?.content.split('\n') ?? []
    expect(lines.filter((line) => /^(server|\[host)/.test(line))).toEqual([
      'server = "https://registry-1.docker.io"',
      '[host."http://demo-registry:5000/v2/docker.io"]',
      '[host."https://m.example.com/v2/dh"]',
    ])
  })

  it('touches only hosts with a mirror when there is no local registry', () => {
    expect(hostsFiles({ upstream: {}, sealed: false })).toEqual([])
    expect(hostsFiles({ upstream: { 'example.com': 'http://m' }, sealed: false })).toMatchObject([
      { host: 'example.com', content: expect.stringContaining('server = "https://example.com"') },
    ])
  })

  it('lets pods name an image as it was pushed from the host', () => {
    const files = hostsFiles({ registry: 'http://demo-registry:5000', registryPort: 5001, upstream: {}, sealed: false })
    expect(files.find((file) => file.host === 'localhost:5001')?.content).toContain(
      '[host."http://demo-registry:5000"]',
    )
  })
})
