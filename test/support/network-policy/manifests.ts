import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { defaultProbeImage } from '../../../src/assert/probe-pods.ts'
import { loadProbeScript, probeFile } from '../../../src/assert/probe-script.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { restrictedContainer, restrictedPod } from '../../../src/kubernetes/restricted-pod.ts'
import { repository } from '../test-host.ts'
import { hostNamespace, hostPort, namespaces, type PodFixture, podPorts, pods, service } from './fixture.ts'

const program = 'pod-program.ts'
const account = 'policy'
/** Dials what comes by stdin, from the pod where it is started. */
export const batchesCommand = ['node', `/program/${probeFile.name}`, 'batches']

export interface PodOptions {
  readonly namespace: string
  readonly name: string
  /** Name of the Node: the scheduler is passed by. */
  readonly node: string
  readonly labels?: Readonly<Record<string, string>>
  /** See pod-program.ts. */
  readonly environment: Readonly<Record<string, string>>
  readonly ports?: readonly { name: string; containerPort: number; protocol: string }[]
  readonly hostNetwork?: boolean
  /** TCP port whose accepting makes the pod Ready; without one it is Ready when it runs. */
  readonly readyPort?: number
}

export function programPod(options: PodOptions): KubeObject {
  const { namespace, name, labels, readyPort } = options
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, ...(labels === undefined ? {} : { labels }) },
    spec: {
      nodeName: options.node,
      ...(options.hostNetwork === true ? { hostNetwork: true } : {}),
      serviceAccountName: account,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      securityContext: restrictedPod,
      containers: [
        {
          name: 'policy',
          image: defaultProbeImage,
          imagePullPolicy: 'IfNotPresent',
          command: ['node', `/program/${program}`],
          env: Object.entries(options.environment).map(([key, value]) => ({ name: key, value })),
          ...(options.ports === undefined ? {} : { ports: options.ports }),
          ...(readyPort === undefined
            ? {}
            : { readinessProbe: { tcpSocket: { port: readyPort }, periodSeconds: 1, timeoutSeconds: 2 } }),
          resources: { requests: { cpu: '10m', memory: '32Mi' } },
          securityContext: restrictedContainer,
          volumeMounts: [{ name: 'program', mountPath: '/program', readOnly: true }],
        },
      ],
      volumes: [{ name: 'program', configMap: { name: 'program' } }],
    },
  }
}

/** Namespaces, and in each an account without rights and the program. */
export async function surroundings(): Promise<{ namespaces: KubeObject[]; objects: KubeObject[] }> {
  const data = {
    [program]: await readFile(path.join(import.meta.dirname, program), 'utf8'),
    [probeFile.name]: await loadProbeScript(repository),
  }
  const all = [...Object.values(namespaces), { name: hostNamespace, labels: {} }]
  return {
    namespaces: all.map(({ name, labels }) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { ...labels } },
    })),
    objects: all.flatMap(({ name: namespace }): KubeObject[] => [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace } },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'program', namespace }, data },
    ]),
  }
}

/** The pods of the fixture and the Service. `nodes`: the real names of node1 and node2. */
export function fixtureObjects(nodes: Readonly<Record<string, string>>): KubeObject[] {
  const serve = podPorts.map(({ port, protocol }) => `${port}/${protocol}`).join(',')
  return [
    ...pods.map((pod) =>
      programPod({
        namespace: namespaces[pod.namespace].name,
        name: pod.name,
        node: nodes[pod.node] ?? '',
        labels: pod.labels,
        environment: { SERVE: serve },
        ports: containerPorts(pod),
        readyPort: 8080,
      }),
    ),
    ...Object.entries(nodes).map(([key, node]) =>
      programPod({
        namespace: hostNamespace,
        name: key,
        node,
        environment: { SERVE: `${hostPort}/TCP` },
        hostNetwork: true,
        readyPort: hostPort,
      }),
    ),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: service.name, namespace: namespaces[service.namespace].name },
      spec: {
        selector: { ...pods.find((pod) => pod.key === service.pod)?.labels },
        ports: [{ port: service.port, targetPort: service.targetPort, protocol: 'TCP' }],
      },
    },
  ]
}

function containerPorts(pod: PodFixture): { name: string; containerPort: number; protocol: string }[] {
  return podPorts.map(({ port, protocol }) => {
    const name = protocol === 'UDP' ? 'query' : port === pod.web ? 'web' : `tcp-${port}`
    return { name, containerPort: port, protocol }
  })
}
