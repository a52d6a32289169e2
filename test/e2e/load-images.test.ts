import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LoadedImage } from '../../src/cluster/load-images.ts'
import { loadTarget } from '../../src/cluster/load-target.ts'
import { loadedRegistryContainer } from '../../src/cluster/loaded-registry.ts'
import { publishedAddress } from '../../src/cluster/registry.ts'
import { manifestDigest } from '../../src/cluster/registry-manifest.ts'
import { runBundle } from '../dist/run-bundle.ts'
import { buildLoadable, removeLoaded, runOnEveryNode, saveLikeDocker29 } from '../support/loadable-images.ts'
import { drillCluster } from './cluster-fixture.ts'

/** The built action on the shared cluster, which has a registry of its own; without one: registry-source.test.ts. */
const pushed = 'kp-load-pushed:1'
const archived = 'kp-load-archived:1'

const { host, kubernetes, kubeconfig } = await drillCluster()
const nodes = (await kubernetes.list({ apiVersion: 'v1', kind: 'Node' })).map((node) => node.metadata.name).sort()

async function load(inputs: Record<string, string>): Promise<{ loaded: LoadedImage[]; log: string }> {
  const env = { PATH: process.env['PATH'] ?? '' }
  const run = await runBundle('load-images', { inputs: { ...inputs, kubeconfig }, env })
  expect(run.code, run.stdout).toBe(0)
  return { loaded: JSON.parse(run.outputs['loaded'] ?? '') as LoadedImage[], log: run.stdout }
}

/** What the registry that all clusters of the host share has under the name, and what the one of this cluster alone has. */
async function servedAs(repository: string): Promise<{ shared: string | undefined; loaded: string | undefined }> {
  const { cluster, registry = '' } = await loadTarget(host, kubernetes)
  const own = (await publishedAddress(host, loadedRegistryContainer(cluster))) ?? ''
  return {
    shared: await manifestDigest(host, registry, repository, '1'),
    loaded: await manifestDigest(host, own, repository, '1'),
  }
}

beforeAll(() => buildLoadable(host, pushed))
afterAll(() => removeLoaded(host, kubernetes, [pushed, `docker.io/library/${pushed}`, `docker.io/library/${archived}`]))

describe('images of the local Docker', () => {
  it('go by the registry into every node, where even a pod that never pulls finds them', async () => {
    const { loaded } = await load({ images: pushed })
    expect(loaded).toMatchObject([{ image: `docker.io/library/${pushed}`, how: 'registry', nodes }])
    expect(await runOnEveryNode(kubernetes, { name: 'never', image: pushed, policy: 'Never' })).toBe(nodes.length)
  })

  it('can be pulled under the same name by a pod that always does', async () => {
    expect(await runOnEveryNode(kubernetes, { name: 'always', image: pushed, policy: 'Always' })).toBe(nodes.length)
  })

  it('are for this cluster alone', async () => {
    const digest = expect.stringMatching(/^sha256:/)
    expect(await servedAs('docker.io/library/kp-load-pushed')).toEqual({ shared: undefined, loaded: digest })
  })

  it('are left as they are the second time', async () => {
    const { loaded, log } = await load({ images: pushed })
    expect(loaded).toMatchObject([{ how: 'present', ms: 0 }])
    expect(log).toContain(`docker.io/library/${pushed}: every node has it`)
  })
})

describe('an archive of Docker 29', () => {
  it('goes into every node, although the way of kind cannot take it', async () => {
    await buildLoadable(host, pushed)
    const archive = await saveLikeDocker29(host, pushed, `docker.io/library/${archived}`)
    const { loaded } = await load({ archives: archive })
    expect(loaded).toMatchObject([{ image: `docker.io/library/${archived}`, how: 'archive', nodes }])
    expect(await runOnEveryNode(kubernetes, { name: 'archived', image: archived, policy: 'Never' })).toBe(nodes.length)
    expect((await load({ archives: archive })).loaded).toMatchObject([{ how: 'present' }])
    const digest = expect.stringMatching(/^sha256:/)
    expect(await servedAs('docker.io/library/kp-load-archived')).toEqual({ shared: undefined, loaded: digest })
    // What `kind load` runs: were this ever to succeed, the archive would be none of that kind.
    const [node = ''] = nodes
    await host.exec.run('docker', ['cp', archive.replace(/\.gz$/, ''), `${node}:/archive.tar`], { quiet: true })
    const ctr = ['exec', node, 'ctr', '--namespace', 'k8s.io', 'images', 'import', '--all-platforms', '--digests']
    const byKind = await host.exec.run('docker', [...ctr, '/archive.tar'], { quiet: true, allowFailure: true })
    await host.exec.run('docker', ['exec', node, 'rm', '/archive.tar'], { quiet: true })
    expect(byKind.exitCode).not.toBe(0)
    expect(byKind.stderr).toMatch(/content digest sha256:0+: not found/)
  })
})
