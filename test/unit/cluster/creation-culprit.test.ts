import { describe, expect, it } from 'vitest'
import { type Culprit, creationCulprit } from '../../../src/cluster/creation-culprit.ts'
import { type CreationFacts, type NodeFacts, parseDf } from '../../../src/cluster/creation-facts.ts'
import type { NodeFault } from '../../../src/cluster/node-fault.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'

const gib = 1024 ** 3
const running = { state: 'running', exitCode: 0, outOfMemory: false }
const active = { load: 'loaded', active: 'active', result: 'success', restarts: 0 }

function node(name: string, changes: Partial<NodeFacts> = {}): NodeFacts {
  return {
    name,
    role: name.endsWith('worker') ? 'worker' : 'control-plane',
    ...running,
    services: [
      { name: 'containerd', ...active },
      { name: 'kubelet', ...active },
    ],
    disks: [{ path: '/var', sizeBytes: 80 * gib, freeBytes: 40 * gib }],
    ...changes,
  }
}

function member(name: string, conditions: readonly object[] = [{ type: 'Ready', status: 'True' }]): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { conditions } }
}

function pod(name: string, waiting: object, owner?: string, image = 'registry.k8s.io/x:1'): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'kube-system',
      ...(owner === undefined ? {} : { ownerReferences: [{ kind: 'DaemonSet', name: owner, uid: '1' }] }),
    },
    status: { phase: 'Pending', containerStatuses: [{ name: 'c', image, ready: false, state: { waiting } }] },
  }
}

function daemonSet(name: string, hostPath = '/etc/cni/net.d'): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'kube-system' },
    spec: {
      template: {
        spec: {
          volumes: [
            { name: 'tmp', emptyDir: {} },
            { name: 'v', hostPath: { path: hostPath } },
          ],
        },
      },
    },
    status: { desiredNumberScheduled: 2, numberReady: 0 },
  }
}

const noNetwork = [
  {
    type: 'Ready',
    status: 'False',
    message:
      'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized',
  },
]
const healthy: CreationFacts = {
  hostDisks: [{ path: '/state', sizeBytes: 80 * gib, freeBytes: 40 * gib }],
  nodes: [node('demo-control-plane'), node('demo-worker')],
  registry: { name: 'demo-registry', role: '', ...running },
  api: { nodes: [member('demo-control-plane'), member('demo-worker')], pods: [], daemonSets: [daemonSet('kindnet')] },
}
const missing = {
  reason: 'ErrImagePull',
  message: 'rpc error: code = NotFound desc = failed to resolve reference "registry.k8s.io/x:1": not found',
}

function culprit(changes: Partial<CreationFacts>, text = '', fault?: NodeFault): Culprit | undefined {
  return creationCulprit({ code: '', text, fault, facts: { ...healthy, ...changes } })
}

function withApi(changes: Partial<NonNullable<CreationFacts['api']>>): Partial<CreationFacts> {
  return { api: { nodes: [], pods: [], daemonSets: [], ...healthy.api, ...changes } }
}

const full = [{ path: '/var/lib/kubelet', sizeBytes: 1024 ** 2, freeBytes: 0 }]
const kubelet = (changes: object): Partial<NodeFacts> => ({
  services: [
    { name: 'containerd', ...active },
    { name: 'kubelet', ...active, ...changes },
  ],
})
const inotify: NodeFault = {
  fact: 'demo-worker: containerd: too many open files',
  node: 'demo-worker',
  service: 'containerd',
  message: 'too many open files',
  hint: 'sudo sysctl fs.inotify.max_user_instances=512',
}

describe('the culprit of a failed creation', () => {
  it.each<[string, Partial<CreationFacts>, string, RegExp]>([
    [
      'an engine that is gone',
      {
        engineProblem:
          'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
      },
      'DOCKER_LOST',
      /^the Docker engine stopped answering: Cannot connect to the Docker daemon at unix:/,
    ],
    [
      'a full host',
      { hostDisks: [{ path: '/state', sizeBytes: 2 * 1024 ** 2, freeBytes: 4096 }] },
      'DISK_FULL',
      /^the disk of \/state on this host is full: 0\.0 of 2 MiB free$/,
    ],
    [
      'a node out of memory',
      {
        nodes: [node('demo-control-plane'), node('demo-worker', { state: 'exited', exitCode: 137, outOfMemory: true })],
      },
      'NODE_STOPPED',
      /^the container of node demo-worker is exited \(out of memory\)$/,
    ],
    [
      'a full disk in a node',
      { nodes: [node('demo-control-plane'), node('demo-worker', { disks: full })] },
      'DISK_FULL',
      /^the disk of node demo-worker at \/var\/lib\/kubelet is full: 0\.0 of 1 MiB free$/,
    ],
    [
      'a masked kubelet',
      {
        ...withApi({ nodes: [member('demo-control-plane')] }),
        nodes: [node('demo-control-plane'), node('demo-worker', kubelet({ load: 'masked', active: 'inactive' }))],
      },
      'NODE_NOT_JOINED',
      /^node demo-worker cannot come up: its kubelet is masked, so nothing can start it$/,
    ],
    [
      'a kubelet that ends again and again',
      {
        ...withApi({ nodes: [member('demo-control-plane')] }),
        nodes: [node('demo-control-plane'), node('demo-worker', kubelet({ active: 'activating', restarts: 7 }))],
      },
      'NODE_NOT_JOINED',
      /^node demo-worker cannot come up: its kubelet is ending again and again, 7 times so far$/,
    ],
    [
      'a node that never joined though all of it runs',
      withApi({ nodes: [member('demo-control-plane')] }),
      'NODE_NOT_JOINED',
      /^node demo-worker of 2 never joined the cluster; its kubelet is active$/,
    ],
    [
      'a node without room for pods',
      withApi({
        nodes: [
          member('demo-control-plane'),
          member('demo-worker', [
            { type: 'Ready', status: 'True' },
            { type: 'DiskPressure', status: 'True', message: 'kubelet has disk pressure' },
          ]),
        ],
      }),
      'NODE_PRESSURE',
      /^node demo-worker has DiskPressure, so its kubelet starts no pods: kubelet has disk pressure \(\/var: 40960\.0 of 81920 MiB free\)$/,
    ],
    [
      'a registry that is gone',
      { registry: { name: 'demo-registry', role: '', ...running, state: 'gone' } },
      'REGISTRY_LOST',
      /^the local registry, container demo-registry, is gone: /,
    ],
    [
      'a network agent whose image is missing',
      withApi({
        nodes: [member('demo-control-plane', noNetwork), member('demo-worker')],
        pods: [pod('kindnet-x', missing, 'kindnet')],
      }),
      'NETWORK_NOT_READY',
      /^the pod network has not started on 1 of 2 nodes, demo-control-plane for one: DaemonSet kube-system\/kindnet: pod kindnet-x: c ErrImagePull: .*not found$/,
    ],
    [
      'a cluster without network agent',
      withApi({
        nodes: [member('demo-control-plane', noNetwork), member('demo-worker', noNetwork)],
        daemonSets: [daemonSet('kube-proxy', '/lib/modules'), daemonSet('log-shipper', '/var/log')],
      }),
      'NETWORK_NOT_READY',
      /^nothing provides the pod network: there is no DaemonSet for it, and 2 of 2 nodes wait$/,
    ],
    [
      'an image nobody has',
      withApi({ pods: [pod('coredns-x', missing)] }),
      'IMAGE_NOT_FOUND',
      /^image registry\.k8s\.io\/x:1 cannot be pulled, so pod kube-system\/coredns-x does not start: /,
    ],
  ])('%s', (_what, facts, code, line) => {
    const found = culprit(facts)
    expect(found?.code).toBe(code)
    expect(found?.line).toMatch(line)
    expect(found?.line).not.toContain('\n')
    expect(found?.next).toMatch(/\w{3}/)
  })

  it('is no node that Docker refused to start: that is said by Docker', () => {
    const refused = node('demo-control-plane', { state: 'created', exitCode: 128, services: [], disks: [] })
    expect(culprit({ nodes: [refused] })).toBeUndefined()
  })

  it('is none where everything is as it should be, and where nothing could be looked at', () => {
    expect(culprit({})).toBeUndefined()
    expect(
      creationCulprit({ code: '', text: '', fault: undefined, facts: { hostDisks: [], nodes: [] } }),
    ).toBeUndefined()
  })

  it('is the deepest of several', () => {
    const facts: Partial<CreationFacts> = {
      ...withApi({ nodes: [member('demo-control-plane', noNetwork)], pods: [pod('coredns-x', missing)] }),
      nodes: [
        node('demo-control-plane'),
        node('demo-worker', { disks: full, ...kubelet({ active: 'failed', result: 'exit-code' }) }),
      ],
    }
    expect(culprit(facts)?.code).toBe('DISK_FULL')
    expect(culprit({ ...facts, engineProblem: 'gone' })?.code).toBe('DOCKER_LOST')
  })

  it('is no service of a node whose turn has not come', () => {
    const waiting = kubelet({ active: 'failed', result: 'exit-code' })
    const { api: _none, ...withoutApi } = healthy
    const facts = { ...withoutApi, nodes: [node('demo-control-plane'), node('demo-worker', waiting)] }
    expect(creationCulprit({ code: '', text: 'failed to init node', fault: undefined, facts })).toBeUndefined()
    expect(
      creationCulprit({ code: '', text: 'docker exec demo-worker kubeadm join', fault: undefined, facts })?.line,
    ).toMatch(/^node demo-worker/)
  })

  it('is not what somebody runs in the cluster', () => {
    const own = pod('shop', missing)
    const facts = { ...healthy, ...withApi({ pods: [{ ...own, metadata: { ...own.metadata, namespace: 'shop' } }] }) }
    expect(creationCulprit({ code: 'NOT_READY', text: '', fault: undefined, facts })).toBeUndefined()
  })

  it('is the image that ended the gate early, not the network that had no time yet', () => {
    const facts = {
      ...healthy,
      ...withApi({
        nodes: [member('demo-control-plane', noNetwork), member('demo-worker')],
        pods: [pod('kindnet-x', { reason: 'ContainerCreating' }, 'kindnet'), pod('coredns-x', missing)],
      }),
    }
    const failure = { text: '', fault: undefined, facts }
    expect(creationCulprit({ ...failure, code: 'IMAGE_NOT_FOUND' })?.code).toBe('IMAGE_NOT_FOUND')
    expect(creationCulprit({ ...failure, code: 'NOT_READY' })?.code).toBe('NETWORK_NOT_READY')
  })

  it('is the network whose own image is missing, also where another of its pods and the kubelets say less', () => {
    const starting = {
      type: 'Ready',
      status: 'False',
      message: 'container runtime status check may not have completed',
    }
    const facts = {
      ...healthy,
      ...withApi({
        nodes: [member('demo-control-plane', [starting]), member('demo-worker')],
        pods: [pod('kindnet-x', { reason: 'ContainerCreating' }, 'kindnet'), pod('kindnet-y', missing, 'kindnet')],
      }),
    }
    const found = creationCulprit({ code: 'IMAGE_NOT_FOUND', text: '', fault: undefined, facts })
    expect(found?.code).toBe('NETWORK_NOT_READY')
    expect(found?.line).toMatch(/on 1 of 2 nodes, demo-control-plane for one: .*pod kindnet-y: /)
  })

  it('is not the image of a DaemonSet that brings no network, where a node is not ready', () => {
    const gone = { type: 'Ready', status: 'Unknown', message: 'Kubelet stopped posting node status.' }
    const facts = {
      ...healthy,
      ...withApi({
        nodes: [member('demo-control-plane'), member('demo-worker', [gone])],
        pods: [pod('log-shipper-x', missing, 'log-shipper')],
        daemonSets: [daemonSet('kindnet'), daemonSet('log-shipper', '/var/log')],
      }),
    }
    const found = creationCulprit({ code: 'IMAGE_NOT_FOUND', text: '', fault: undefined, facts })
    expect(found?.code).toBe('IMAGE_NOT_FOUND')
  })

  it('is what a service logged, where that is a known cause', () => {
    expect(culprit({}, '', inotify)).toMatchObject({
      line: 'node demo-worker cannot come up: containerd: too many open files',
      next: expect.stringContaining('fs.inotify.max_user_instances=512'),
    })
  })

  it('reads df, each mount once', () => {
    const text = `Filesystem     1-blocks        Used   Available Capacity Mounted on
overlay    84410515456 41058750464 43335053312      49% /
/dev/vda   84410515456 41058750464 43335053312      49% /var
/dev/vda   84410515456 41058750464 43335053312      49% /var
tmpfs          1048576     1048576           0     100% /var/lib/kubelet
df: /nowhere: No such file or directory
`
    expect(parseDf(text).map(({ path, freeBytes }) => [path, freeBytes])).toEqual([
      ['/', 43335053312],
      ['/var', 43335053312],
      ['/var/lib/kubelet', 0],
    ])
  })
})
