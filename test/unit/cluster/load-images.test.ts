import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { type LoadedImage, loadImages } from '../../../src/cluster/load-images.ts'
import type { RunOptions } from '../../../src/process/exec.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'
import { FakeCluster } from '../deploy/fake-kubernetes.ts'

const nodes = ['demo-control-plane', 'demo-worker']
const id = (letter: string): string => `sha256:${letter.repeat(64)}`
/** Docker's images: name -> id. */
const docker = new Map([
  ['shop:1', id('a')],
  ['corp.example/shop:1', id('b')],
])

let registry: Server | undefined
afterEach(() => registry?.close())

/** A cluster whose nodes take what is imported and pulled, as far as `refuse` lets them. */
async function demo(
  options: { registry?: boolean; states?: Record<string, string>; refuse?: RegExp; free?: string } = {},
) {
  const stores = new Map(nodes.map((node) => [node, new Map<string, string>()]))
  registry = createServer((_request, response) => {
    response.setHeader('docker-content-digest', id('f'))
    response.end()
  })
  await new Promise<void>((resolve) => registry?.listen(0, '127.0.0.1', resolve))
  const port = (registry.address() as AddressInfo).port
  const node = (line: string): string => nodes.find((name) => line.includes(` ${name} `)) ?? ''
  const take = (line: string, names: readonly string[], digest: string) => {
    if (options.refuse?.test(line) === true) return { exitCode: 1, stderr: 'ctr: no space left on device' }
    for (const name of names) stores.get(node(line))?.set(name, digest)
    return ''
  }
  let saved: string[] = []
  const exec = scriptedExec([
    [/^docker info /, JSON.stringify({ ServerVersion: '29', DockerRootDir: options.free ?? '/' })],
    [
      /^docker ps .*io\.x-k8s\.kind\.cluster=demo/,
      nodes.map((name) => `id\t${name}\t${options.states?.[name] ?? 'running'}\tworker`).join('\n'),
    ],
    [/^docker ps .*k8s-platform\.cluster=demo/, options.registry === true ? 'id\tdemo-registry\trunning\t' : ''],
    [/^docker port demo-registry/, `127.0.0.1:${port}`],
    [
      /^docker inspect .* demo-registry$/,
      JSON.stringify([{ Image: 'i', HostConfig: {}, Mounts: [], NetworkSettings: { Networks: {} } }]),
    ],
    [
      /^docker image inspect /,
      (line) => {
        const found = docker.get(line.split(' ').at(-1) ?? '')
        return found === undefined ? { exitCode: 1, stderr: 'No such image' } : `${found}\tamd64\t1000\n`
      },
    ],
    [/^docker images /, [...docker.keys()].join('\n')],
    [/^docker (tag|push|rmi) /, ''],
    [
      /^docker save /,
      (line, run: RunOptions) => {
        saved = line.split(' ').slice(2)
        run.output?.end('tar')
        return ''
      },
    ],
    [
      / images list$/,
      (line) =>
        [...(stores.get(node(line)) ?? [])]
          .map(([name, digest]) => `${name} type ${digest} 1 MiB linux/amd64 io.cri-containerd.image=managed`)
          .join('\n'),
    ],
    [/ content get /, (line) => JSON.stringify({ config: { digest: line.split(' ').at(-1) } })],
    [/ images pull /, (line) => take(line, [line.split(' ').at(-1) ?? ''], id('f'))],
    [
      / images import /,
      async (line, run) => {
        await (run.input as Readable).toArray()
        return take(
          line,
          saved.map((name) => (name.includes('/') ? name : `docker.io/library/${name}`)),
          id('b'),
        )
      },
    ],
  ])
  const cluster = new FakeCluster()
  for (const name of nodes) {
    cluster.put({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name },
      spec: { providerID: `kind://docker/demo/${name}` },
      status: { nodeInfo: { architecture: 'amd64' } },
    })
  }
  return {
    exec,
    load: (images: string[], archives: string[] = []): Promise<readonly LoadedImage[]> =>
      loadImages(testHost({ exec }), { kubeconfig: 'k', images, archives }, async () => cluster.client()),
  }
}

describe('loading images', () => {
  it('goes by the registry for hosts that it mirrors, else by one stream into all nodes', async () => {
    const { load, exec } = await demo({ registry: true })
    const loaded = await load(['shop:1', 'corp.example/shop:1'])
    expect(loaded.map(({ image, how, nodes: on }) => [image, how, on])).toEqual([
      ['docker.io/library/shop:1', 'registry', nodes],
      ['corp.example/shop:1', 'archive', nodes],
    ])
    expect(exec.calls.filter((line) => line.startsWith('docker save'))).toEqual(['docker save corp.example/shop:1'])
    expect(exec.calls.filter((line) => / images import /.test(line))).toHaveLength(2)
  })

  it('does nothing where every node has the very image', async () => {
    const { load, exec } = await demo()
    await load(['corp.example/shop:1'])
    const before = exec.calls.length
    expect(await load(['corp.example/shop:1'])).toMatchObject([{ how: 'present', ms: 0 }])
    expect(exec.calls.slice(before).filter((line) => /save|import|push|pull/.test(line))).toEqual([])
  })

  it('names the node that failed, why, and who has it', async () => {
    const { load } = await demo({ refuse: /demo-worker .* import/ })
    await expect(load(['corp.example/shop:1'])).rejects.toMatchObject({
      code: 'IMAGE_LOAD_FAILED',
      message: expect.stringMatching(
        /^corp\.example\/shop:1 could not be loaded into demo-worker \(there on demo-control-plane\): .*no space left/,
      ),
    })
  })

  it('names a node that is stopped before any is touched', async () => {
    const { load, exec } = await demo({ states: { 'demo-worker': 'paused' } })
    await expect(load(['shop:1'])).rejects.toMatchObject({
      code: 'IMAGE_LOAD_FAILED',
      message: 'images cannot be loaded into demo-worker: paused',
    })
    expect(exec.calls.some((line) => line.includes('import'))).toBe(false)
  })

  it('tells everything that cannot be had at once, with the nearest name', async () => {
    const { load } = await demo()
    const folder = await mkdtemp(path.join(tmpdir(), 'archive-'))
    await writeFile(path.join(folder, 'text.tar'), 'no tar')
    const failure = await load(['shap:1', 'UPPER', `shop@${id('c')}`], ['/nowhere.tar']).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({
      code: 'INPUT_INVALID',
      problems: [
        { value: 'shap:1', problem: 'is not in the local Docker; nearest: shop:1' },
        { value: 'UPPER', problem: 'is no name of an image' },
        { value: `shop@${id('c')}` },
        { value: '/nowhere.tar', problem: expect.stringContaining('ENOENT') },
      ],
    })
  })

  it('refuses a digest that the registry does not give, and nodes that are not here', async () => {
    docker.set(`shop@${id('d')}`, id('a'))
    const { load } = await demo({ registry: true })
    await expect(load([`shop@${id('d')}`])).rejects.toMatchObject({ code: 'IMAGE_DIGEST_DIFFERS' })
    docker.delete(`shop@${id('d')}`)
    const elsewhere = new FakeCluster()
    elsewhere.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'far' }, spec: { providerID: 'aws:///i-1' } })
    const request = { kubeconfig: 'k', images: ['shop:1'], archives: [] }
    await expect(
      loadImages(testHost({ exec: scriptedExec([]) }), request, async () => elsewhere.client()),
    ).rejects.toMatchObject({
      code: 'LOAD_UNREACHABLE',
    })
  })
})
