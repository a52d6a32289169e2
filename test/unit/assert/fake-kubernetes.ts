import type { SuiteEnvironment } from '../../../src/assert/environment.ts'
import { probeServices } from '../../../src/assert/probe-manifests.ts'
import type { Fleet, Probe } from '../../../src/assert/probe-pods.ts'
import type { ExecOptions, ExecResult, Kubernetes } from '../../../src/kubernetes/client.ts'
import type { KubeObject, ListScope, ResourceKind } from '../../../src/kubernetes/objects.ts'
import type { ProbeRequest, ProbeResult } from '../../../src/probe/protocol.ts'
import { NotReadyError } from '../../../src/process/errors.ts'

export interface FakeKubernetes extends Kubernetes {
  /** What the API server holds; tests change it. */
  objects: KubeObject[]
  readonly deleted: string[]
}

/** An API server that is a list of objects. `until` looks once: what is not so now will not be. */
export function fakeKubernetes(
  objects: readonly KubeObject[],
  options: { readonly exec?: (options: ExecOptions) => Promise<ExecResult>; readonly now?: Date } = {},
): FakeKubernetes {
  const deleted: string[] = []
  const matches = (object: KubeObject, kind: ResourceKind, scope: ListScope): boolean =>
    object.kind === kind.kind &&
    object.apiVersion === kind.apiVersion &&
    (scope.namespace === undefined || object.metadata.namespace === scope.namespace) &&
    (scope.labelSelector === undefined || hasLabels(object, scope.labelSelector))
  const fake: FakeKubernetes = {
    objects: [...objects],
    deleted,
    get: async (ref) => fake.objects.find((object) => matches(object, ref, ref) && object.metadata.name === ref.name),
    list: async (kind, scope = {}) => fake.objects.filter((object) => matches(object, kind, scope)),
    async apply(object) {
      fake.objects = [...fake.objects.filter((other) => other !== object), object]
      return object
    },
    create: async (object) => ({
      ...object,
      metadata: { ...object.metadata, creationTimestamp: (options.now ?? new Date()).toISOString() },
    }),
    patch: async () => Promise.reject(new Error('not in this test')),
    async delete(ref) {
      deleted.push(`${ref.kind} ${ref.name}`)
    },
    async until(what, kind, scope, until) {
      const found = await fake.list(kind, scope)
      if (until.done(found)) return found
      throw new NotReadyError(`${what} not ready: ${until.explain(found)}`)
    },
    watch: async () => {},
    exec: options.exec ?? (() => Promise.reject(new Error('no exec in this test'))),
    logs: async () => '',
    serverTime: async () => options.now ?? new Date(),
    raw: async () => '{"gitVersion":"v1.34.3"}',
  }
  return fake
}

function hasLabels(object: KubeObject, selector: string): boolean {
  return selector.split(',').every((part) => {
    const [key = '', value] = part.split('=')
    const label = object.metadata.labels?.[key]
    return value === undefined ? label !== undefined : label === value
  })
}

export type Answer = (request: ProbeRequest, probe: Probe) => Omit<ProbeResult, 'id' | 'elapsedMs'>

/** Probe pods whose answers the test decides. */
export function fakeFleet(nodes: readonly string[], answer: Answer, missing: Fleet['missing'] = []): Fleet {
  const probes = nodes.map((node, i): Probe => {
    const probe: Probe = {
      node,
      pod: `probe-${i}`,
      ip: `10.244.${i}.9`,
      place: `pod probe-${i} on ${node}`,
      run: async (requests) => requests.map((request) => ({ id: request.id, elapsedMs: 1, ...answer(request, probe) })),
    }
    return probe
  })
  return {
    namespace: 'probes',
    services: probeServices('probe'),
    clusterDomain: 'cluster.local',
    nameservers: ['10.96.0.10'],
    probes,
    missing,
  }
}

export function suiteEnvironment(kubernetes: Kubernetes, overrides: Partial<SuiteEnvironment> = {}): SuiteEnvironment {
  return {
    kubernetes,
    target: 'generic',
    namespace: 'shop',
    nonce: 'abc',
    fleet: () => Promise.reject(new Error('no probe pods in this test')),
    expected: {},
    stableMs: 10_000,
    convergeMs: 30,
    ...overrides,
  }
}

type Labels = Readonly<Record<string, string>>

export function object(apiVersion: string, kind: string, name: string, rest: object = {}): KubeObject {
  const { metadata, ...others } = rest as { metadata?: object }
  return { apiVersion, kind, metadata: { name, namespace: 'shop', uid: `uid-${kind}-${name}`, ...metadata }, ...others }
}

export function deployment(name: string, status: object = {}, spec: object = {}): KubeObject {
  return object('apps/v1', 'Deployment', name, {
    metadata: { generation: 2 },
    spec: { replicas: 2, template: { metadata: { labels: { app: name } } }, ...spec },
    status: {
      observedGeneration: 2,
      replicas: 2,
      updatedReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
      ...status,
    },
  })
}

export function pod(
  name: string,
  options: { ready?: boolean; labels?: Labels; owner?: KubeObject; status?: object } = {},
): KubeObject {
  const ready = options.ready ?? true
  return object('v1', 'Pod', name, {
    metadata: {
      labels: options.labels ?? {},
      ...(options.owner === undefined
        ? {}
        : {
            ownerReferences: [
              { kind: options.owner.kind, name: options.owner.metadata.name, uid: options.owner.metadata.uid },
            ],
          }),
    },
    spec: { nodeName: 'worker' },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', message: ready ? '' : 'not yet' }],
      containerStatuses: [{ name: 'main', ready, restartCount: 0, state: {} }],
      ...options.status,
    },
  })
}

export function service(name: string, spec: object, namespace = 'shop'): KubeObject {
  return object('v1', 'Service', name, { metadata: { namespace }, spec: { clusterIP: '10.96.0.7', ...spec } })
}

export function slice(
  serviceName: string,
  addresses: Readonly<Record<string, boolean>>,
  port: number | null = 8000,
  namespace = 'shop',
): KubeObject {
  return object('discovery.k8s.io/v1', 'EndpointSlice', `${serviceName}-x`, {
    metadata: { namespace, labels: { 'kubernetes.io/service-name': serviceName } },
    addressType: 'IPv4',
    ports: port === null ? [] : [{ name: 'http', port, protocol: 'TCP' }],
    endpoints: Object.entries(addresses).map(([address, ready], i) => ({
      addresses: [address],
      conditions: { ready },
      targetRef: { kind: 'Pod', name: `${serviceName}-${i}` },
    })),
  })
}
