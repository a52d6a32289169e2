import { createReadStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { stringify } from 'yaml'
import { defaultProbeImage } from '../../src/assert/probe-pods.ts'
import { runSuites } from '../../src/assert/run-suites.ts'
import { kindEnv } from '../../src/cluster/kind-command.ts'
import { ensureNetwork, removeNetworkIfUnused } from '../../src/engine/network.ts'
import { seal } from '../../src/engine/seal.ts'
import { sealedClientEnvironment } from '../../src/engine/sealed-client.ts'
import { buildImages } from '../../src/images/build-images.ts'
import { toolFromPackages } from '../../src/images/host-tools.ts'
import { supportedKubernetesVersions } from '../../src/images/kubernetes-versions.ts'
import { createKubernetes } from '../../src/kubernetes/create-kubernetes.ts'
import { cacheFolder } from '../../src/process/environment.ts'
import type { Host } from '../../src/process/host.ts'
import { supportedArchitecture } from '../../src/tools/platform.ts'
import type { DrillCluster } from '../e2e/cluster-fixture.ts'
import { kubectl } from './plain-app.ts'
import { testHost } from './test-host.ts'

/** A cluster that `kind create cluster` made and nothing of ours touched. */
export interface ForeignCluster {
  readonly cluster: DrillCluster
  readonly nodes: readonly string[]
  remove(): Promise<void>
}

const config = {
  kind: 'Cluster',
  apiVersion: 'kind.x-k8s.io/v1alpha4',
  nodes: [{ role: 'control-plane' }, { role: 'worker' }],
}
const createMs = 600_000
const imageMs = 300_000

/**
 * As scripts/bench/peers-way.sh makes its own: kind's command, a config of roles, kubectl that waits. The node image is the one we build, for lack of another where nothing is pulled; the image of the
 * app and the probes is imported, as people do without a registry. What is half made when something fails is removed.
 */
export async function makeForeignCluster(name: string): Promise<ForeignCluster> {
  const host = hostWithCache()
  const [kubernetesVersion = ''] = await supportedKubernetesVersions(host)
  const kind = await toolFromPackages(host, 'kind')
  const images = await buildImages(host, { recipes: ['kind-node', 'nodejs'], kubernetesVersion })
  const tagOf = (recipe: string): string => images.find((image) => image.recipe === recipe)?.localTag ?? ''
  const kubeconfig = path.join(host.paths.temp, `${name}.kubeconfig`)
  await mkdir(host.paths.temp, { recursive: true })
  const network = await ensureNetwork(host)
  await seal(host)
  const env = kindEnv(await sealedClientEnvironment(host), network.name)
  const runKind = (args: readonly string[], input = ''): Promise<string> =>
    host.exec.run(kind, [...args, '--name', name], { env, input, timeoutMs: createMs }).then(({ stdout }) => stdout)
  const remove = async (): Promise<void> => {
    await runKind(['delete', 'cluster', '--kubeconfig', kubeconfig])
    // Only where no other cluster is on it.
    await removeNetworkIfUnused(host)
    await rm(path.dirname(host.paths.temp), { recursive: true, force: true })
  }
  try {
    // A test run that was killed may have left it.
    await runKind(['delete', 'cluster', '--kubeconfig', kubeconfig])
    const create = ['create', 'cluster', '--image', tagOf('kind-node'), '--kubeconfig', kubeconfig, '--config', '-']
    await runKind(create, stringify(config))
    const nodes = (await runKind(['get', 'nodes'])).trim().split('\n').sort()
    await importImage(host, nodes, tagOf('nodejs'), defaultProbeImage)
    const kubernetes = await createKubernetes(host, { kubeconfig })
    const assert: DrillCluster['assert'] = (options) =>
      runSuites(host, { ...options, kubernetes, target: 'generic', namespace: 'default' })
    const cluster = { host, kubernetes, kubeconfig, assert }
    for (const settled of [
      ['wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=100s'],
      ['rollout', 'status', 'deployment/coredns', '--namespace', 'kube-system', '--timeout=100s'],
    ])
      await kubectl(cluster, settled)
    return { cluster, nodes, remove }
  } catch (error) {
    // What failed is the error, not what could not be removed after it.
    await remove().catch(() => {})
    throw error
  }
}

/** With the programs and images that earlier runs built, and the home their builds want. */
function hostWithCache(): Host {
  const base = testHost()
  const env = { ...base.env, HOME: process.env['HOME'] ?? '/root' }
  return testHost({ env, paths: { ...base.paths, cache: cacheFolder(process.env) } })
}

/** `docker save`, `ctr images import` on each node, and the name by which manifests know it. */
async function importImage(host: Host, nodes: readonly string[], tag: string, name: string): Promise<void> {
  const archive = path.join(host.paths.temp, 'node-image.tar')
  await host.exec.run('docker', ['save', '--output', archive, tag], { timeoutMs: imageMs })
  const platform = `linux/${supportedArchitecture(process)}`
  for (const node of nodes) {
    const ctr = (args: readonly string[], input?: ReturnType<typeof createReadStream>): Promise<unknown> =>
      host.exec.run('docker', ['exec', '--interactive', node, 'ctr', '--namespace', 'k8s.io', 'images', ...args], {
        timeoutMs: imageMs,
        ...(input === undefined ? {} : { input }),
      })
    await ctr(['import', '--platform', platform, '-'], createReadStream(archive))
    await ctr(['tag', '--force', `docker.io/${tag}`, name])
  }
  await rm(archive)
}
