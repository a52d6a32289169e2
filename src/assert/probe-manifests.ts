import type { KubeObject } from '../kubernetes/objects.ts'
import { restrictedContainer, restrictedPod } from '../kubernetes/restricted-pod.ts'
import { identityPort } from '../probe/serve.ts'

/** Everything of one run carries this label with the run's nonce. */
export const runLabel = 'k8s-platform.run'
/** When the run is certainly over: a namespace older than this is a dead run's and is swept by the next one. */
export const expiresAnnotation = 'k8s-platform/expires-at'
export const probeServices = { clusterIp: 'probe', headless: 'probe-headless', externalName: 'probe-external' } as const
export const probePortName = 'http'
/** What the ExternalName fixture points to: a name every cluster has, so that no outside resolver is needed. */
export const externalNameTarget = (clusterDomain: string): string => `kubernetes.default.svc.${clusterDomain}`

export interface ProbeSetup {
  readonly nonce: string
  readonly namespace: string
  readonly image: string
  readonly script: string
  readonly expiresAt: Date
  /** Seconds after which the kubelet ends the pods by itself, should nobody come to remove them. */
  readonly activeSeconds: number
}

export function probeNamespace(setup: ProbeSetup): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: setup.namespace,
      labels: {
        [runLabel]: setup.nonce,
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/warn': 'restricted',
      },
      annotations: { [expiresAnnotation]: setup.expiresAt.toISOString() },
    },
  }
}

/** The script, an account without rights (so that no race with the default one) and the Services that DNS and routing are proven on. */
export function probeFixtures(setup: ProbeSetup): KubeObject[] {
  const { namespace } = setup
  const labels = { [runLabel]: setup.nonce }
  const service = (name: string, spec: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels },
    spec,
  })
  const ports = [{ name: probePortName, port: 80, targetPort: identityPort, protocol: 'TCP' }]
  return [
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'probe', namespace, labels },
      automountServiceAccountToken: false,
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'probe', namespace, labels },
      data: { 'probe.mjs': setup.script },
    },
    service(probeServices.clusterIp, { selector: labels, ports }),
    service(probeServices.headless, {
      clusterIP: 'None',
      selector: labels,
      ports: [{ name: probePortName, port: identityPort, protocol: 'TCP' }],
    }),
  ]
}

export function externalNameService(setup: ProbeSetup, clusterDomain: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: probeServices.externalName, namespace: setup.namespace, labels: { [runLabel]: setup.nonce } },
    spec: { type: 'ExternalName', externalName: externalNameTarget(clusterDomain) },
  }
}

/** One pod pinned to one node: it bypasses the scheduler and tolerates every taint, because every node is to be looked at. */
export function probePod(setup: ProbeSetup, name: string, node: string): KubeObject {
  const field = (path: string): object => ({ valueFrom: { fieldRef: { fieldPath: path } } })
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: setup.namespace, labels: { [runLabel]: setup.nonce } },
    spec: {
      nodeName: node,
      hostname: name,
      subdomain: probeServices.headless,
      serviceAccountName: 'probe',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: 'Always',
      activeDeadlineSeconds: setup.activeSeconds,
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: 'Exists' }],
      securityContext: restrictedPod,
      containers: [
        {
          name: 'probe',
          image: setup.image,
          imagePullPolicy: 'IfNotPresent',
          command: ['node', '/probe/probe.mjs', 'serve'],
          env: [
            { name: 'POD_NAME', ...field('metadata.name') },
            { name: 'NODE_NAME', ...field('spec.nodeName') },
          ],
          ports: [{ name: probePortName, containerPort: identityPort, protocol: 'TCP' }],
          readinessProbe: { tcpSocket: { port: identityPort }, periodSeconds: 1, timeoutSeconds: 2 },
          resources: { requests: { cpu: '10m', memory: '48Mi' }, limits: { memory: '256Mi' } },
          securityContext: restrictedContainer,
          volumeMounts: [{ name: 'script', mountPath: '/probe', readOnly: true }],
        },
      ],
      volumes: [{ name: 'script', configMap: { name: 'probe' } }],
    },
  }
}
