import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { pushBack, pushUpstream } from '../../../src/cluster/load-ways.ts'
import { registryForLoads } from '../../../src/cluster/loaded-registry.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'

const target = { cluster: 'demo', nodes: ['demo-worker'], architecture: 'amd64', registry: '127.0.0.1:1' }
const sharedFolder = [{ Type: 'bind', Destination: '/var/lib/registry' }]
const ownVolume = [{ Type: 'volume', Destination: '/var/lib/registry' }]
const postgres = {
  reference: {
    name: 'docker.io/library/postgres:15',
    host: 'docker.io',
    repository: 'library/postgres',
    tag: '15',
    digest: undefined,
  },
  from: { docker: 'postgres:15' },
  ids: [],
  bytes: 1,
}

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A Docker with one cluster, whose registry keeps its content as said; `docker run` starts a registry that answers. */
function demo(mounts: readonly object[], refuseCopy = 0) {
  const running = ['id\tdemo-registry\trunning\t']
  let port = ''
  let hosts = ''
  const exec = scriptedExec([
    [
      /^docker inspect --type container demo-registry$/,
      JSON.stringify([
        {
          Image: 'sha256:abc',
          HostConfig: { Dns: ['127.0.0.1'] },
          Mounts: mounts,
          NetworkSettings: { Networks: { sealed: {} } },
        },
      ]),
    ],
    [/^docker ps .*k8s-platform\.cluster=demo/, () => running.join('\n')],
    [
      /^docker cp /,
      (line) => {
        if (refuseCopy-- > 0) return { exitCode: 1, stderr: 'killed' }
        hosts = readFileSync(path.join(line.split(' ')[2] ?? '', 'docker.io', 'hosts.toml'), 'utf8')
        return ''
      },
    ],
    [
      /^docker run /,
      async (line) => {
        port = /--publish 127\.0\.0\.1:(\d+):5000/.exec(line)?.[1] ?? ''
        const server = createServer((_request, response) =>
          response
            .setHeader('docker-distribution-api-version', 'registry/2.0')
            .setHeader('docker-content-digest', `sha256:${'f'.repeat(64)}`)
            .end(),
        )
        await new Promise<void>((resolve) => server.listen(Number(port), '127.0.0.1', resolve))
        servers.push(server)
        running.push('id2\tdemo-loaded\trunning\t')
        return ''
      },
    ],
    [/^docker port demo-loaded /, () => `127.0.0.1:${port}\n`],
    [
      /^docker exec demo-worker grep /,
      (line) => {
        const [text = '', ...files] = line.split(' -- ')[1]?.split(' ') ?? []
        return hosts.includes(text) ? files.join('\n') : { exitCode: 1 }
      },
    ],
    [/^docker (tag|push|rmi) /, ''],
    [/^docker exec .* images push /, ''],
  ])
  return { exec, host: testHost({ exec }), port: () => port, hosts: () => hosts }
}

describe('the registry that images are loaded into', () => {
  it('is the cluster’s own where its content is no other cluster’s', async () => {
    const { host, exec } = demo(ownVolume)
    expect(await registryForLoads(host, target)).toEqual({
      published: '127.0.0.1:1',
      inNetwork: 'demo-registry:5000',
    })
    expect(exec.calls.some((line) => /^docker (run|cp)/.test(line))).toBe(false)
  })

  it('is one more where all clusters of the host share theirs, without the shared folder, sealed alike, and asked first', async () => {
    const { host, exec, port, hosts } = demo(sharedFolder)
    expect(await registryForLoads(host, target)).toEqual({
      published: `127.0.0.1:${port()}`,
      inNetwork: 'demo-loaded:5000',
    })
    const [run = ''] = exec.calls.filter((line) => line.startsWith('docker run'))
    expect(run).toContain('--name demo-loaded --hostname demo-loaded --label k8s-platform.cluster=demo')
    expect(run).toMatch(/ --network sealed .* --dns 127\.0\.0\.1 sha256:abc$/)
    expect(run).not.toContain('--volume')
    expect(hosts().indexOf('[host."http://demo-loaded')).toBeLessThan(hosts().indexOf('[host."http://demo-registry'))
    expect(hosts()).toContain('[host."http://demo-loaded:5000/v2/docker.io"]')
  })

  it('is started once, and the nodes are told once it is there', async () => {
    const { host, exec } = demo(sharedFolder)
    const [first, second] = await Promise.all([registryForLoads(host, target), registryForLoads(host, target)])
    expect(second).toEqual(first)
    expect(exec.calls.flatMap((line) => /^docker (run|cp)/.exec(line)?.[1] ?? [])).toEqual(['run', 'cp'])
  })

  it('is told to the nodes by the next run where the first one did not come to it', async () => {
    const { host, exec, hosts } = demo(sharedFolder, 1)
    await expect(registryForLoads(host, target)).rejects.toThrow('killed')
    await registryForLoads(host, target)
    expect(hosts()).toContain('demo-loaded')
    expect(exec.calls.filter((line) => line.startsWith('docker run'))).toHaveLength(1)
  })

  it('is where both ways of loading push, never the shared one', async () => {
    const { host, exec, port } = demo(sharedFolder)
    const registry = await registryForLoads(host, target)
    await pushUpstream(host, registry.published, postgres, () => 1_000)
    await pushBack(host, target, registry, postgres, () => 1_000)
    const pushes = exec.calls.filter((line) => / push /.test(line))
    expect(pushes).toEqual([
      `docker push --quiet 127.0.0.1:${port()}/docker.io/library/postgres:15`,
      expect.stringMatching(/ demo-loaded:5000\/docker\.io\/library\/postgres:15 docker\.io\/library\/postgres:15$/),
    ])
  })
})
