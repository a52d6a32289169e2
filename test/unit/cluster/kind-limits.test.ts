import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createKindCluster } from '../../../src/cluster/kind.ts'
import { installKubectl } from '../../../src/cluster/kubectl.ts'
import { registrySupply } from '../../../src/cluster/registry-supply.ts'
import { reuseCluster } from '../../../src/cluster/reuse-cluster.ts'
import type { StateJournal } from '../../../src/cluster/state-journal.ts'
import { systemClock } from '../../../src/process/clock.ts'
import { isCancellation } from '../../../src/process/errors.ts'
import type { Host } from '../../../src/process/host.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'
import { afterwards, planFor, request, supply } from './kind-plan.ts'
import { stateOf } from './states.ts'

describe('a try that cannot be followed by another', () => {
  const passing = { exitCode: 1, stderr: 'ERROR: could not find a log line that matches "Reached target"' }

  it('tells what failed first, where the nodes of the first try could not be removed', async () => {
    const exec = scriptedExec([
      [/^\/opt\/kind create/, passing],
      [/^\/opt\/kind export/, ''],
      [/^docker rm/, { exitCode: 1, stderr: 'Cannot connect to the Docker daemon' }],
      ...afterwards,
    ])
    const host = testHost({ exec })
    const error = await createKindCluster(host, planFor(host)).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'CLUSTER_CREATE_FAILED', cause: { stderr: passing.stderr } })
    expect(String(error)).toMatch(/could not find a log line.*not removed.*Cannot connect to the Docker daemon/)
  })

  it.each([
    ['the time is over', 60_000],
    ['the time goes in the clean-up', 59_990],
  ])('tells what failed first, where %s', async (_what, afterMs) => {
    let now = 0
    const exec = scriptedExec([
      [
        /^\/opt\/kind create/,
        () => {
          now = afterMs
          return passing
        },
      ],
      [/^\/opt\/kind export/, ''],
      [
        /^docker rm/,
        () => {
          now = 60_000
          return ''
        },
      ],
      ...afterwards,
    ])
    const host = testHost({ exec, clock: { ...systemClock, monotonic: () => now } })
    const error = await createKindCluster(host, planFor(host)).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'CLUSTER_TIMEOUT', cause: { stderr: passing.stderr } })
    expect(String(error)).toMatch(/no time left.*could not find a log line/)
    expect(exec.calls.filter((line) => line.includes('kind create'))).toHaveLength(1)
  })

  it('tells what failed first, where the second fails in another way', async () => {
    const answers = [
      passing,
      { exitCode: 1, stderr: 'ERROR: failed to create cluster: failed to init node with kubeadm' },
    ]
    const exec = scriptedExec([
      [/^\/opt\/kind create/, () => answers.shift() ?? ''],
      [/^\/opt\/kind export/, ''],
      [/^docker rm/, ''],
      ...afterwards,
    ])
    const host = testHost({ exec })
    await expect(createKindCluster(host, planFor(host))).rejects.toThrow(
      /in 2 tries: failed to init node with kubeadm; the first try failed: could not find a log line/,
    )
  })
})

describe('the time-out', () => {
  /** Docker that has no image and gets none: its mirror takes the connection and is silent. Beside it a kind that comes to no end. */
  async function hangingDocker(): Promise<{ readonly host: Host; readonly kind: string }> {
    const bin = await mkdtemp(join(tmpdir(), 'k8s-platform-test-docker-'))
    const kind = join(bin, 'kind')
    await writeFile(kind, `#!${process.execPath}\nsetInterval(() => {}, 1000)\n`, { mode: 0o755 })
    const script = `#!${process.execPath}\nif (process.argv[2] === 'pull') setInterval(() => {}, 1000)\nelse process.exit(process.argv[2] === 'image' ? 1 : 0)\n`
    await writeFile(join(bin, 'docker'), script, { mode: 0o755 })
    return { host: testHost({ env: { PATH: `${bin}:${process.env['PATH']}` } }), kind }
  }
  const kindGoesOn: Parameters<typeof scriptedExec>[0][number] = [
    /^\/opt\/kind create/,
    (_line, { signal }) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
      }),
  ]
  const silentServer = async (): Promise<{ url: string; close: () => void }> => {
    const server = createServer(() => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return {
      url: `http://127.0.0.1:${port}`,
      close() {
        server.close()
        server.closeAllConnections()
      },
    }
  }
  const answeringRegistry = async (): Promise<{ port: number; close: () => void }> => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'docker-distribution-api-version': 'registry/2.0', connection: 'close' }).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { port: (server.address() as AddressInfo).port, close: () => void server.close() }
  }
  const limitMs = 1_500

  it.each([
    ['the node image', 'nodeImage'],
    ["the registry's image", 'registryImage'],
  ] as const)('bounds the pull of %s from a mirror that hangs', async (what, image) => {
    const { host, kind } = await hangingDocker()
    const real = registrySupply({
      request: { ...request, registryMirror: 'docker.io=http://127.0.0.1:1' },
      architecture: 'amd64',
    })
    const plan = {
      ...planFor(host),
      request: { ...request, registry: image === 'registryImage' },
      supply: {
        ...supply,
        tool: async (on: Host, tool: 'kind' | 'kubectl', version: string) => ({
          ...(await supply.tool(on, tool, version)),
          path: kind,
        }),
        [image]: real[image],
      },
      deadline: host.clock.monotonic() + limitMs,
    }
    const error = await createKindCluster(host, plan).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'CLUSTER_TIMEOUT' })
    expect(String(error)).toContain(`no time was left for ${what}: docker pull --quiet 127.0.0.1:1/`)
    expect(isCancellation(error)).toBe(false)
  })

  it('bounds the download of kind from a server that hangs', async () => {
    const server = await silentServer()
    try {
      const host = testHost({ exec: scriptedExec([[/^docker/, '']]), env: { PATH: '' } })
      const { tool } = registrySupply({ request: { ...request, downloadBaseUrl: server.url }, architecture: 'amd64' })
      const plan = { ...planFor(host), supply: { ...supply, tool }, deadline: host.clock.monotonic() + limitMs }
      const error = await createKindCluster(host, plan).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'CLUSTER_TIMEOUT' })
      expect(String(error)).toContain('no time was left for kind')
    } finally {
      server.close()
    }
  })

  /** Ends with the host that it is given, and not before. */
  const untilEnded = (host: Host): Promise<never> =>
    new Promise((_resolve, reject) => {
      host.signal.addEventListener('abort', () => reject(new Error('it was at something')), { once: true })
    })
  const hanging = {
    network: { supply: { network: untilEnded }, registry: false, says: 'the network' },
    publish: { supply: { publish: untilEnded }, registry: true, says: 'publishing images into the local registry' },
  } as const

  it.each(Object.values(hanging))('bounds $says', async ({ supply: part, registry, says }) => {
    const server = await answeringRegistry()
    try {
      const exec = scriptedExec([[/^docker run/, 'id\n'], [/^\/opt\/kind create/, ''], ...afterwards])
      const host = testHost({ exec })
      const plan = {
        ...planFor(host),
        request: { ...request, registry, registryPort: server.port },
        supply: { ...supply, ...part },
        deadline: host.clock.monotonic() + limitMs,
      }
      const error = await createKindCluster(host, plan)
        .then(({ published }) => published)
        .catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'CLUSTER_TIMEOUT' })
      expect(String(error)).toContain(`no time was left for ${says}: it was at something`)
      expect(isCancellation(error)).toBe(false)
    } finally {
      server.close()
    }
  })

  it('bounds kubectl', async () => {
    const host = testHost()
    const hangs = { ...supply, tool: untilEnded }
    const error = await installKubectl(host, hangs, 'server', '1.36.4', host.clock.monotonic() + limitMs).catch(
      (caught: unknown) => caught,
    )
    expect(error).toMatchObject({ code: 'CLUSTER_TIMEOUT' })
    expect(String(error)).toContain('no time was left for kubectl: it was at something')
  })

  it('bounds a registry that starts and never answers', async () => {
    const server = await silentServer()
    try {
      const host = testHost({ exec: scriptedExec([[/^docker run/, 'id\n'], kindGoesOn, ...afterwards]) })
      const plan = {
        ...planFor(host),
        request: { ...request, registry: true, registryPort: Number(new URL(server.url).port) },
        deadline: host.clock.monotonic() + limitMs,
      }
      const error = await createKindCluster(host, plan).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'CLUSTER_TIMEOUT' })
      expect(String(error)).toContain('no time was left for the local registry: ')
    } finally {
      server.close()
    }
  })

  it.each([
    ['the network', { network: untilEnded }],
    ['publishing images into the local registry', { publish: untilEnded }],
  ])('bounds %s of a cluster that is there already', async (says, part) => {
    const host = testHost({ exec: scriptedExec(afterwards) })
    const state = stateOf({ name: 'demo', registry: { container: 'demo-registry', port: 1 } })
    // The machine's own limits are nothing of this test's.
    const journal = { state, update: async () => {} } as unknown as StateJournal
    const deadline = host.clock.monotonic() + limitMs
    const error = await reuseCluster(host, { request, supply: { ...supply, ...part }, journal, deadline })
      .then(({ published }) => published)
      .catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'CLUSTER_TIMEOUT' })
    expect(String(error)).toContain(`no time was left for ${says}: it was at something`)
  })
})
