import { readdir, stat } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { setupCluster } from '../../src/cluster/create-cluster.ts'
import type { SetupResult } from '../../src/cluster/finish-cluster.ts'
import { currentOwner } from '../../src/cluster/owner.ts'
import type { ClusterRequest } from '../../src/cluster/provider.ts'
import { heartbeatReasons } from '../../src/cluster/readiness-nodes.ts'
import { readState } from '../../src/cluster/state.ts'
import { teardownCluster } from '../../src/cluster/teardown.ts'
import { sealStatus } from '../../src/engine/seal.ts'
import type { Kubernetes } from '../../src/kubernetes/client.ts'
import { createKubernetes } from '../../src/kubernetes/create-kubernetes.ts'
import { installMetricsServer } from '../../src/platform/metrics-server.ts'
import { cacheFolder } from '../../src/process/environment.ts'
import type { Host } from '../../src/process/host.ts'
import { waitFor } from '../../src/process/wait.ts'
import { recordingLogger, testHost } from '../support/test-host.ts'

const log = recordingLogger()
const base = testHost({ log, env: process.env as Record<string, string> })
const host: Host = { ...base, paths: { ...base.paths, cache: cacheFolder(process.env) } }

function requestFor(name: string, workers: number, changes: Partial<ClusterRequest> = {}): ClusterRequest {
  const worker = (index: number) =>
    ({
      role: 'worker',
      zone: `zone-${index}`,
      labels: { tier: 'db' },
      taints: ['dedicated=tests:PreferNoSchedule'],
    }) as const
  return {
    name,
    nodes: [{ role: 'control-plane' }, ...Array.from({ length: workers }, (_, index) => worker(index))],
    extraArgs: [],
    registry: true,
    imageSource: 'packages',
    kubectlVersion: 'none',
    waitFor: ['api', 'nodes', 'system'],
    timeoutMs: 240_000,
    ...changes,
  }
}

async function setup(request: ClusterRequest, reuse = false): Promise<SetupResult> {
  const owner = await currentOwner({ pid: process.pid, kind: 'person' })
  return await setupCluster(host, request, { owner, machine: process, reuse })
}

async function docker(...args: string[]): Promise<string> {
  return (await host.exec.run('docker', args, { quiet: true })).stdout
}

/** Names of everything in Docker that belongs to a cluster. */
async function traces(name: string): Promise<string[]> {
  const lists = await Promise.all(
    [`io.x-k8s.kind.cluster=${name}`, `k8s-platform.cluster=${name}`].map((label) =>
      docker('ps', '--all', '--format', '{{.Names}}', '--filter', `label=${label}`),
    ),
  )
  return lists.flatMap((text) => text.split('\n')).filter((line) => line !== '')
}

describe('a cluster from packages', () => {
  const name = 'kp-e2e-made'
  let cluster: SetupResult
  let kubernetes: Kubernetes

  beforeAll(async () => {
    await teardownCluster(host, name)
    cluster = await setup(requestFor(name, 1))
    kubernetes = await createKubernetes(host, { kubeconfig: cluster.kubeconfig, context: cluster.context })
  })
  afterAll(async () => {
    await teardownCluster(host, name)
  })

  it('has the nodes asked for, with their zones, labels and taints', async () => {
    const nodes = await kubernetes.list({ apiVersion: 'v1', kind: 'Node' })
    expect(nodes.map((entry) => entry.metadata.name).sort()).toEqual([`${name}-control-plane`, `${name}-worker`])
    const worker = nodes.find((entry) => entry.metadata.name === `${name}-worker`)
    expect(worker?.metadata.labels).toMatchObject({ 'topology.kubernetes.io/zone': 'zone-0', tier: 'db' })
    expect(worker?.['spec'].taints).toEqual([{ key: 'dedicated', value: 'tests', effect: 'PreferNoSchedule' }])
    expect(cluster.nodes.every((entry) => /^\d+\.\d+\.\d+\.\d+$/.test(entry.address))).toBe(true)
  })

  it('leaves no check pod behind and keeps its kubeconfig private', async () => {
    await kubernetes.until(
      'the check pods gone',
      { apiVersion: 'v1', kind: 'Pod' },
      { namespace: 'default' },
      {
        timeoutMs: 30_000,
        done: (pods) => pods.length === 0,
        explain: (pods) => pods.map((pod) => pod.metadata.name).join(', '),
      },
    )
    expect((await stat(cluster.kubeconfig)).mode & 0o777).toBe(0o600)
  })

  it('tells where its registry and its host ports are', async () => {
    const [registry, ports] = await Promise.all([
      kubernetes.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-public', name: 'local-registry-hosting' }),
      kubernetes.get({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        namespace: 'kube-system',
        name: 'k8s-platform-host-ports',
      }),
    ])
    expect(registry?.['data']['localRegistryHosting.v1']).toContain(`host: ${cluster.registry}`)
    expect(ports?.['data']).toEqual(cluster.hostPorts)
    expect(Object.keys(cluster.hostPorts)).toEqual(['30080', '30081', '30082', '30083'])
  })

  it('runs an image pushed to the registry under the name it was pushed by, and one by its upstream name', async () => {
    const image = `${cluster.registry}/mine/box:1`
    const [busybox = ''] = (
      await docker('images', '--format', '{{.Repository}}:{{.Tag}}', '--filter', 'label=k8s-platform.recipe=busybox')
    ).split('\n')
    await docker('tag', busybox, image)
    await docker('push', '--quiet', image)
    await docker('rmi', '--no-prune', image)
    for (const [pod, wanted] of [
      ['pushed', image],
      ['upstream', 'docker.io/library/redis:7.0'],
    ] as const) {
      await kubernetes.create(podOf(pod, wanted, `${name}-worker`))
    }
    await kubernetes.until(
      'both pods run',
      { apiVersion: 'v1', kind: 'Pod' },
      { namespace: 'default', labelSelector: 'test=pull' },
      {
        timeoutMs: 60_000,
        done: (pods) => pods.length === 2 && pods.every((pod) => pod['status']?.phase === 'Running'),
        explain: (pods) => JSON.stringify(pods.map((pod) => pod['status']?.containerStatuses)),
      },
    )
  })

  it('says NotFound at once for an image nobody has, and asks no one outside', async () => {
    await kubernetes.create(podOf('missing', 'quay.io/nobody/nothing:1', `${name}-worker`))
    const [pod] = await kubernetes.until(
      'the pull refused',
      { apiVersion: 'v1', kind: 'Pod' },
      { namespace: 'default', fieldSelector: 'metadata.name=missing' },
      {
        timeoutMs: 15_000,
        done: (pods) => pods[0]?.['status']?.containerStatuses?.[0]?.state?.waiting?.message !== undefined,
        explain: () => 'no answer yet',
      },
    )
    expect(pod?.['status'].containerStatuses[0].state.waiting.message).toMatch(/quay\.io\/nobody\/nothing:1.*not found/)
  })

  it('has metrics of every node once metrics-server is installed', async () => {
    expect(await installMetricsServer(host, cluster)).toEqual({ version: '0.7.2' })
  })

  it('is found ready again in seconds, and refused under other settings', async () => {
    const started = performance.now()
    const again = await setup(requestFor(name, 1), true)
    expect(again).toMatchObject({ reused: true, hostPorts: cluster.hostPorts, registry: cluster.registry })
    log.info(`second setup took ${Math.round(performance.now() - started)} ms`)
    await expect(setup(requestFor(name, 2), true)).rejects.toMatchObject({ code: 'CLUSTER_EXISTS' })
    await expect(setup(requestFor(name, 1))).rejects.toMatchObject({ code: 'CLUSTER_EXISTS' })
  })

  it('is sealed and started again after what a reboot does to it', async () => {
    const containers = await traces(name)
    await docker('kill', ...containers)
    await host.exec.run('nft', ['delete', 'table', 'inet', 'k8s_platform_seal'], { quiet: true })
    expect(await sealStatus(host)).toMatchObject({ sealed: false })
    expect(await setup(requestFor(name, 1), true)).toMatchObject({ reused: true })
    expect(await sealStatus(host)).toMatchObject({ sealed: true })
    const running = (await docker('ps', '--format', '{{.Names}}')).split('\n')
    expect(running).toEqual(expect.arrayContaining(containers))
  })

  it('names a node whose kubelet is dead, with evidence, and keeps the cluster', async () => {
    await docker('exec', `${name}-worker`, 'systemctl', 'stop', 'kubelet')
    const stopped = { apiVersion: 'v1', kind: 'Node', metadata: { name: `${name}-worker` } }
    // The heartbeat goes stale 40 s after the kubelet's death, while the Ready condition still says True for some of that time.
    await waitFor(
      host,
      'a stale heartbeat',
      () => kubernetes.list({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' }, { namespace: 'kube-node-lease' }),
      {
        timeoutMs: 60_000,
        intervalMs: 1_000,
        done: (leases) => heartbeatReasons([stopped], leases, new Date()).length > 0,
        explain: () => 'still fresh',
      },
    )
    const error = await setup(requestFor(name, 1, { timeoutMs: 8_000 }), true).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'NOT_READY', message: expect.stringMatching(new RegExp(`${name}-worker `)) })
    expect(String(error)).not.toContain(`${name}-control-plane `)
    const logs = await readdir(cluster.logsPath)
    expect(logs).toEqual(expect.arrayContaining(['containers.txt', 'events.txt', 'nodes', 'objects']))
    expect((await readState(host, name))?.phase).toBe('ready')
    await docker('exec', `${name}-worker`, 'systemctl', 'start', 'kubelet')
    expect(await setup(requestFor(name, 1), true)).toMatchObject({ reused: true })
  })

  it('goes without a trace, twice', async () => {
    const removed = await teardownCluster(host, name)
    expect(removed).toEqual(
      expect.arrayContaining([`container ${name}-control-plane`, `container ${name}-registry`, `state ${name}`]),
    )
    expect(await traces(name)).toEqual([])
    expect(await teardownCluster(host, name)).toEqual([])
  })
})

function podOf(name: string, image: string, nodeName: string | undefined) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { test: 'pull' } },
    spec: {
      ...(nodeName === undefined ? {} : { nodeName }),
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'Always',
          ...(image.includes('redis') ? {} : { command: ['sleep', '3600'] }),
        },
      ],
    },
  }
}
