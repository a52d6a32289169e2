import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ToolkitError } from '../../../src/process/errors.ts'
import type { Exec } from '../../../src/process/exec.ts'
import type { Host } from '../../../src/process/host.ts'
import { readBuildContext } from '../../../src/voting-app/build-context.ts'
import { buildVotingAppImages } from '../../../src/voting-app/build-images.ts'
import { prepareVotingAppImages } from '../../../src/voting-app/image-plan.ts'
import { findLocalRegistry } from '../../../src/voting-app/local-registry.ts'
import { readPublishedImages } from '../../../src/voting-app/published-images.ts'
import { pushVotingAppImages } from '../../../src/voting-app/push-images.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { recordingLogger, repository, testHost } from '../../support/test-host.ts'
import { FakeCluster } from '../deploy/fake-kubernetes.ts'

/** A host whose assets are a small app of three services. */
async function hostWithApp(overrides: Partial<Host> & { exec?: Exec } = {}): Promise<Host> {
  const host = testHost(overrides)
  const assets = path.join(path.dirname(host.paths.temp), 'assets')
  for (const service of ['vote', 'worker', 'result']) {
    await mkdir(path.join(assets, 'voting-app', service, 'src'), { recursive: true })
    await writeFile(path.join(assets, 'voting-app', service, 'Dockerfile'), 'FROM scratch\n')
    await writeFile(path.join(assets, 'voting-app', service, 'src', 'main'), service)
  }
  await mkdir(path.join(assets, 'dist'))
  return { ...host, paths: { ...host.paths, assets } }
}

const digest = `sha256:${'a'.repeat(64)}`
const recorded = {
  vote: `ghcr.io/org/vote@${digest}`,
  worker: `ghcr.io/org/worker@${digest}`,
  result: `ghcr.io/org/result@${digest}`,
}
const publish = (host: Host, content: string): Promise<void> =>
  writeFile(path.join(host.paths.assets, 'dist', 'images.json'), content)
const request = { images: 'auto', imageSource: 'registry', timeoutMs: 1_000 } as const
const allBuilt = scriptedExec([[/^docker image inspect/, 'sha256:1']])

async function failure(promise: Promise<unknown>): Promise<ToolkitError> {
  return promise.then(
    () => expect.unreachable(),
    (error: ToolkitError) => error,
  )
}

describe('which images', () => {
  it('are the published ones, by digest, where the release recorded any', async () => {
    const host = await hostWithApp()
    await publish(host, JSON.stringify(recorded))
    const images = await prepareVotingAppImages(host, request)
    expect(images).toMatchObject({
      from: 'published',
      references: { vote: { repository: 'ghcr.io/org/vote', digest } },
    })
  })

  it('are built where nothing is published, and the log says so', async () => {
    const log = recordingLogger()
    const images = await prepareVotingAppImages(await hostWithApp({ exec: allBuilt, log }), request)
    expect(images.from).toBe('build')
    expect(log.lines).toContain('info: images of the voting app: built from source (none are published)')
  })

  it('are an error when published ones are asked for and there are none', async () => {
    const error = await failure(prepareVotingAppImages(await hostWithApp(), { ...request, images: 'published' }))
    expect([error.code, error.hint]).toEqual(['IMAGES_NOT_PUBLISHED', expect.stringContaining('images: build')])
  })

  it('are an error when published ones are asked for and the nodes reach nothing', async () => {
    const wanted = { ...request, images: 'published', imageSource: 'packages' } as const
    expect((await failure(prepareVotingAppImages(await hostWithApp(), wanted))).code).toBe('IMAGES_UNREACHABLE')
  })

  it.each(['not json', '{}', JSON.stringify({ ...recorded, worker: 'ghcr.io/org/worker:latest' })])(
    'are an error when the record is broken: %s',
    async (content) => {
      const host = await hostWithApp()
      await publish(host, content)
      const error = await failure(readPublishedImages(host))
      expect(error.code).toBe('PUBLISHED_IMAGES_BROKEN')
    },
  )
})

describe('building the images', () => {
  it('builds what Docker has not got, from the source and nothing else, under a tag of its content', async () => {
    const seen: string[][] = []
    const exec = scriptedExec([
      [/^docker image inspect .*worker/, 'sha256:1'],
      [/^docker image inspect/, { exitCode: 1, stderr: 'No such image' }],
      [
        /^docker build/,
        async (line) => {
          seen.push((await readdir(line.split(' ').at(-1) ?? '', { recursive: true })).sort())
          return 'Successfully built'
        },
      ],
    ])
    const host = await hostWithApp({ exec })
    for (const folder of ['node_modules', 'tests', '__pycache__']) {
      await mkdir(path.join(host.paths.assets, 'voting-app', 'vote', folder))
      await writeFile(path.join(host.paths.assets, 'voting-app', 'vote', folder, 'x'), '')
    }
    const images = await buildVotingAppImages(host, request)
    const { digest: content } = await readBuildContext(host, 'vote')
    expect(images.vote).toEqual({
      local: `k8s-platform/voting-app-vote:${content.slice(0, 12)}`,
      tag: content.slice(0, 12),
    })
    expect(seen).toEqual([
      ['Dockerfile', 'src', 'src/main'],
      ['Dockerfile', 'src', 'src/main'],
    ])
    expect(exec.calls.filter((line) => line.startsWith('docker build'))).toHaveLength(2)
    expect(exec.calls).toContainEqual(expect.stringContaining(`--label k8s-platform.key=${content}`))
    expect(await readdir(host.paths.temp)).toEqual([])
  })

  it('gives another tag to another content, and the same to the same', async () => {
    const host = await hostWithApp({ exec: allBuilt })
    const before = await buildVotingAppImages(host, request)
    expect(await buildVotingAppImages(host, request)).toEqual(before)
    await writeFile(path.join(host.paths.assets, 'voting-app', 'vote', 'src', 'main'), 'changed')
    const after = await buildVotingAppImages(host, request)
    expect(after.vote.tag).not.toBe(before.vote.tag)
    expect(after.worker).toEqual(before.worker)
  })

  it('quotes the end of a build that fails, and waits with it for whoever asks', async () => {
    const exec = scriptedExec([
      [/^docker image inspect/, { exitCode: 1 }],
      [/^docker build/, { exitCode: 1, stdout: 'Step 1/9 : FROM x', stderr: 'pull access denied for x' }],
    ])
    const images = buildVotingAppImages(await hostWithApp({ exec }), request)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const error = await failure(images)
    expect(error.code).toBe('IMAGE_BUILD_FAILED')
    expect(error.message).toMatch(/^the image of \w+ could not be built: docker build .*: pull access denied for x$/)
    expect(error.diagnostics).toEqual(['Step 1/9 : FROM x', 'pull access denied for x'])
  })

  it.each(['vote', 'worker', 'result'] as const)('finds the source of %s among the shipped files', async (service) => {
    const context = await readBuildContext(testHost(), service)
    expect(context.files).toContain('Dockerfile')
    expect(context.files.filter((file) => /node_modules|__pycache__|(^|\/)tests?\/|\.whl$/.test(file))).toEqual([])
  })
})

describe('the local registry', () => {
  const servers: http.Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })
  async function registry(has: RegExp): Promise<string> {
    const server = http.createServer((asked, response) => {
      const accepted = asked.headers.accept?.includes('application/vnd.docker.distribution.manifest.v2+json') === true
      response.statusCode = accepted && has.test(asked.url ?? '') ? 200 : 404
      response.setHeader('docker-content-digest', `sha256:${'0'.repeat(64)}`)
      response.end()
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const image = (service: string): { local: string; tag: string } => ({
    local: `k8s-platform/voting-app-${service}:1a`,
    tag: '1a',
  })
  const built = { vote: image('vote'), worker: image('worker'), result: image('result') }

  it('gets the images it lacks, and no name of it stays in Docker', async () => {
    const place = await registry(/\/v2\/voting-app\/(worker|result)\/manifests\/1a/)
    const exec = scriptedExec([[/^docker (tag|push|rmi)/, '']])
    const references = await pushVotingAppImages(testHost({ exec }), place, built)
    expect(references.vote).toEqual({ repository: `${place}/voting-app/vote`, tag: '1a' })
    expect(exec.calls).toEqual([
      `docker tag k8s-platform/voting-app-vote:1a ${place}/voting-app/vote:1a`,
      `docker push --quiet ${place}/voting-app/vote:1a`,
      `docker rmi --no-prune ${place}/voting-app/vote:1a`,
    ])
  })

  it('is the one the cluster advertises', async () => {
    const cluster = new FakeCluster()
    expect((await failure(findLocalRegistry(cluster.client(), 10))).code).toBe('REGISTRY_MISSING')
    const found = findLocalRegistry(cluster.client())
    cluster.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'local-registry-hosting', namespace: 'kube-public' },
      data: { 'localRegistryHosting.v1': 'host: "127.0.0.1:5001"\nhelp: "https://example.com"\n' },
    })
    expect(await found).toBe('127.0.0.1:5001')
  })
})

it('a copy of the sources elsewhere has the same tags', async () => {
  const host = testHost()
  const assets = path.join(path.dirname(host.paths.temp), 'copy')
  await cp(path.join(repository, 'voting-app', 'vote'), path.join(assets, 'voting-app', 'vote'), { recursive: true })
  await rm(path.join(assets, 'voting-app', 'vote', 'tests'), { recursive: true, force: true })
  const copied = await readBuildContext({ ...host, paths: { ...host.paths, assets } }, 'vote')
  expect(copied.digest).toBe((await readBuildContext(host, 'vote')).digest)
})
