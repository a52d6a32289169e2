import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { localImages } from '../../src/images/docker-image.ts'
import { createKubernetes } from '../../src/kubernetes/create-kubernetes.ts'
import { cacheFolder } from '../../src/process/environment.ts'
import { buildVotingAppImages } from '../../src/voting-app/build-images.ts'
import { type BundleRun, runBundle } from '../dist/run-bundle.ts'
import { buildLoadable, runOnEveryNode } from '../support/loadable-images.ts'
import {
  type DownloadServer,
  freeKindNetwork,
  onlyPrograms,
  registryStorage,
  releaseWithoutPackages,
  sealedKindNetwork,
  startDownloadServer,
  versions,
} from '../support/registry-world.ts'
import { repository, testHost } from '../support/test-host.ts'
import {
  digestInStorage,
  nodeImageManifest,
  startUpstreamRegistries,
  type UpstreamRegistries,
} from '../support/upstream-registries.ts'

/**
 * The default path of the actions, as GitHub's runners take it: images from the world's registries through a mirror, programs from their download pages. Both are played here out
 * of what was built; the release under test has lost the code and the recipes of `packages`, and the nodes' network lets nothing out.
 */
const name = 'kp-registry-source'
/** At night with a worker and all suites; else one node, and the suites that nothing else here stands for. */
const nightly = (process.env['K8S_PLATFORM_NIGHTLY'] ?? '') !== ''
const roles = nightly ? ['control-plane', 'worker'] : ['control-plane']
const cache = cacheFolder(process.env)
const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' }
const host = testHost({ env, paths: { ...testHost().paths, assets: repository, cache } })

let folder: string
let network: Awaited<ReturnType<typeof sealedKindNetwork>>
let upstream: UpstreamRegistries
let downloads: DownloadServer
let nodeImage: string
let root: string
let machine: Readonly<Record<string, string>>
let trusted: string
let kubeconfig: string

beforeAll(async () => {
  await freeKindNetwork(host)
  folder = await mkdtemp(path.join(tmpdir(), 'k8s-platform-test-registry-'))
  undo.push(() => rm(folder, { recursive: true, force: true }))
  network = await sealedKindNetwork(host)
  undo.push(() => network.remove())
  const storage = registryStorage()
  const built = await buildVotingAppImages(host, { imageSource: 'packages', timeoutMs: 600_000 })
  const services = Object.entries(built)
  const published = await Promise.all(
    services.map(async ([service, { tag }]) => {
      const digest = await digestInStorage(storage, `voting-app/${service}`, tag)
      return [service, `ghcr.io/org/k8s-platform/${service}@${digest}`] as const
    }),
  )
  const node = (await localImages(host))
    .filter(({ recipe }) => recipe === 'kind-node')
    .sort((a, b) => a.createdAt.localeCompare(b.createdAt))
    .at(-1)
  const { digest, text } = await nodeImageManifest(host, node?.tag ?? '')
  nodeImage = `kindest/node:v${versions.kubectl}@${digest}`
  upstream = await startUpstreamRegistries({
    listen: network.gateway,
    storage,
    folder: path.join(folder, 'upstream'),
    aliases: Object.fromEntries(
      services.map(([service]) => [`ghcr.io/org/k8s-platform/${service}`, `voting-app/${service}`]),
    ),
    manifests: { [`docker.io/kindest/node@${digest}`]: text },
  })
  undo.push(() => upstream.close())
  // What the host pulled by the mirror's name: its own image under one more.
  const pulled = `${upstream.address}/docker.io/kindest/node@${digest}`
  undo.push(() => host.exec.run('docker', ['rmi', '--no-prune', pulled], { quiet: true, allowFailure: true }))
  downloads = await startDownloadServer(host, path.join(folder, 'downloads'))
  undo.push(() => downloads.close())
  root = await releaseWithoutPackages(path.join(folder, 'release'), Object.fromEntries(published))
  // As an administrator does for a mirror with a certificate of the company.
  trusted = path.join('/etc/docker/certs.d', upstream.address)
  // The folder above it too, where it is empty.
  undo.push(() => rmdir(path.dirname(trusted)).catch(() => {}))
  undo.push(() => rm(trusted, { recursive: true, force: true }))
  await mkdir(trusted, { recursive: true })
  await writeFile(path.join(trusted, 'ca.crt'), upstream.certificate)
  const certificate = path.join(folder, 'mirror.pem')
  await writeFile(certificate, upstream.certificate)
  const extraMounts = [{ hostPath: certificate, containerPath: '/etc/ssl/certs/mirror.pem', readOnly: true }]
  const nodes = roles.map((role) => ({ role, extraMounts }))
  // JSON is YAML.
  const config = JSON.stringify({ kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4', nodes })
  await writeFile(path.join(folder, 'kind.yaml'), config)
  machine = {
    PATH: await onlyPrograms(host, path.join(folder, 'bin'), ['docker', 'tar', 'gzip']),
    K8S_PLATFORM_STATE_DIR: path.join(folder, 'state'),
    K8S_PLATFORM_CACHE_DIR: path.join(folder, 'cache'),
  }
  undo.push(() => runBundle('teardown', { root, inputs: { 'cluster-name': name }, env: machine }))
})

/** In the order in which they were made; undone from the end. */
const undo: (() => Promise<unknown>)[] = []

afterAll(async () => {
  for (const step of undo.reverse()) await step()
})

const run = (action: string, inputs: Record<string, string>): Promise<BundleRun> =>
  runBundle(action, {
    root,
    inputs,
    env: { ...machine, ...(kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig }) },
  })

describe('image-source registry', () => {
  it('makes a cluster through a mirror and a download page of ones own', async () => {
    const made = await run('setup-cluster', {
      'cluster-name': name,
      'image-source': 'registry',
      'registry-mirror': `*=https://${upstream.address}/{host}`,
      'download-base-url': downloads.url,
      'provider-version': `${versions.kind}@sha256:${downloads.digests.kind}`,
      'kubectl-version': `${versions.kubectl}@sha256:${downloads.digests.kubectl}`,
      'node-image': nodeImage,
      config: path.join(folder, 'kind.yaml'),
      // The registry image is pinned by the digest of its publisher, which no build of ours has.
      registry: 'false',
      matrix: 'null',
    })
    expect(made.code, made.stdout).toBe(0)
    expect(made.outputs).toMatchObject({ 'kubernetes-version': versions.kubectl, 'provider-version': versions.kind })
    kubeconfig = made.outputs['kubeconfig'] ?? ''
  })

  it('deploys the published images with a helm from there', async () => {
    const app = await run('deploy-voting-app', {
      images: 'published',
      'download-base-url': downloads.url,
      'helm-version': `${versions.helm}@sha256:${downloads.digests.helm}`,
    })
    expect(app.code, app.stdout).toBe(0)
  })

  it('is green', async () => {
    const proven = await run('assert', nightly ? {} : { suites: 'readiness,vote-flow' })
    expect(proven.code, proven.stdout).toBe(0)
    expect(proven.outputs).toMatchObject({ verdict: 'pass', failed: '0', inconclusive: '0' })
  })
})

it('loads an image into a cluster without a registry by one stream', async () => {
  const image = 'kp-load-streamed:1'
  const kubernetes = await createKubernetes(host, { kubeconfig })
  undo.push(() => host.exec.run('docker', ['rmi', image], { quiet: true, allowFailure: true }))
  await buildLoadable(host, image)
  const loaded = await run('load-images', { images: image })
  expect(loaded.code, loaded.stdout).toBe(0)
  expect(JSON.parse(loaded.outputs['loaded'] ?? '')).toMatchObject([
    { how: 'archive', nodes: { length: roles.length } },
  ])
  expect(await runOnEveryNode(kubernetes, { name: 'streamed', image, policy: 'Never' })).toBe(roles.length)
})

it('nodes pulled from the mirror, the host asked it for the node image, programs came from the page, and nothing else was asked for', async () => {
  const got = (request: string): boolean => upstream.requests.some((line) => line.includes(request))
  expect(got('docker.io/kindest/node/manifests/sha256:')).toBe(true)
  for (const image of ['docker.io/library/redis', 'docker.io/library/postgres', 'ghcr.io/org/k8s-platform/vote'])
    expect(got(`200 GET ${image}/blobs/`), image).toBe(true)
  expect(new Set(downloads.requests).size).toBe(3)
  expect(await network.rejected()).toMatchObject({ other: 0 })
  expect(await readFile(path.join(root, 'dist', 'images.json'), 'utf8')).toContain('ghcr.io')
})

describe('these proofs can fail', () => {
  it('a release without the code of packages cannot do it', async () => {
    const packages = await runBundle('setup-cluster', {
      root,
      inputs: { 'install-only': 'true', 'image-source': 'packages', matrix: 'null' },
      env: machine,
    })
    expect(packages.code).toBe(1)
    expect(packages.stdout).toMatch(/Cannot find module .*packages-supply\.js/)
  })

  it('what a node sends elsewhere is stopped and counted', async () => {
    const node = `${name}-control-plane`
    // An address of the documentation, which is nobody's.
    const connect = ['exec', node, 'timeout', '1', 'bash', '-c', 'exec 3<>/dev/tcp/198.51.100.1/443']
    const { exitCode } = await host.exec.run('docker', connect, { quiet: true, allowFailure: true })
    expect(exitCode).not.toBe(0)
    expect((await network.rejected()).other).toBeGreaterThan(0)
  })
})
