import type { KubeObject } from '../kubernetes/objects.ts'
import { restrictedContainer, restrictedPod } from '../kubernetes/restricted-pod.ts'
import { identityPort } from '../probe/serve.ts'
import { probeFile, serveCommand } from './probe-script.ts'

/** Everything of one run carries this label with the run's nonce. */
export const runLabel = 'k8s-platform.run'
/** When the run is certainly over: what is older is a dead run's and is swept by the next one. */
export const expiresAnnotation = 'k8s-platform/expires-at'
/** The process that runs it, as JSON: on the same machine the next run can see that it is dead long before it expires. */
export const ownerAnnotation = 'k8s-platform/owner'
export const probePortName = 'http'
/** What the ExternalName fixture points to: a name every cluster has, so that no outside resolver is needed. */
export const externalNameTarget = (clusterDomain: string): string => `kubernetes.default.svc.${clusterDomain}`

export interface ProbeServices {
  readonly clusterIp: string
  readonly headless: string
  readonly externalName: string
}

export interface ProbeSetup {
  readonly nonce: string
  readonly namespace: string
  /** True: the namespace is made for this run and removed with it. False: it was given, and may hold other runs' probes and other things. */
  readonly ownNamespace: boolean
  readonly image: string
  readonly script: string
  readonly expiresAt: Date
  /** Written to {@link ownerAnnotation}. */
  readonly owner: string
  /** Seconds after which the kubelet ends the pods by itself, should nobody come to remove them. */
  readonly activeSeconds: number
}

/** First part of every name: in a shared namespace it tells runs apart. */
export function probeName(setup: Pick<ProbeSetup, 'nonce' | 'ownNamespace'>): string {
  return setup.ownNamespace ? 'probe' : `probe-${setup.nonce}`
}

export function probeServices(name: string): ProbeServices {
  return { clusterIp: name, headless: `${name}-headless`, externalName: `${name}-external` }
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
      annotations: marks(setup),
    },
  }
}

function marks(setup: ProbeSetup): Record<string, string> {
  return { [expiresAnnotation]: setup.expiresAt.toISOString(), [ownerAnnotation]: setup.owner }
}

/** The script; in a given namespace also what all the rest is owned by, so that deleting it deletes the run. */
export function probeScript(setup: ProbeSetup): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: probeName(setup),
      namespace: setup.namespace,
      labels: { [runLabel]: setup.nonce },
      annotations: marks(setup),
    },
    data: { [probeFile.name]: setup.script },
  }
}

/** An account without rights: in a namespace just made, the default one may not be there yet. A given one has it. */
export function probeAccount(setup: ProbeSetup): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: probeName(setup), namespace: setup.namespace, labels: { [runLabel]: setup.nonce } },
    automountServiceAccountToken: false,
  }
}

/** The Services that routing and DNS are proven on; the third once the cluster's domain is known. */
export function routedServices(setup: ProbeSetup): KubeObject[] {
  const names = probeServices(probeName(setup))
  const selector = { [runLabel]: setup.nonce }
  const port = { name: probePortName, protocol: 'TCP' }
  return [
    service(setup, names.clusterIp, { selector, ports: [{ ...port, port: 80, targetPort: identityPort }] }),
    service(setup, names.headless, { clusterIP: 'None', selector, ports: [{ ...port, port: identityPort }] }),
  ]
}

export function externalNameService(setup: ProbeSetup, clusterDomain: string): KubeObject {
  const { externalName } = probeServices(probeName(setup))
  return service(setup, externalName, { type: 'ExternalName', externalName: externalNameTarget(clusterDomain) })
}

function service(setup: ProbeSetup, name: string, spec: object): KubeObject {
  const labels = { [runLabel]: setup.nonce }
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: setup.namespace, labels }, spec }
}

/** The same object, deleted by the API server once its owner is gone. */
export function ownedBy(object: KubeObject, owner: KubeObject): KubeObject {
  const { name, uid = '' } = owner.metadata
  const reference = { apiVersion: owner.apiVersion, kind: owner.kind, name, uid }
  return { ...object, metadata: { ...object.metadata, ownerReferences: [reference] } }
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
      subdomain: probeServices(probeName(setup)).headless,
      ...(setup.ownNamespace ? { serviceAccountName: probeName(setup) } : {}),
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
          command: [...serveCommand],
          env: [
            { name: 'POD_NAME', ...field('metadata.name') },
            { name: 'NODE_NAME', ...field('spec.nodeName') },
          ],
          ports: [{ name: probePortName, containerPort: identityPort, protocol: 'TCP' }],
          readinessProbe: { tcpSocket: { port: identityPort }, periodSeconds: 1, timeoutSeconds: 2 },
          resources: { requests: { cpu: '10m', memory: '48Mi' }, limits: { memory: '256Mi' } },
          securityContext: restrictedContainer,
          volumeMounts: [{ name: 'script', mountPath: probeFile.folder, readOnly: true }],
        },
      ],
      volumes: [{ name: 'script', configMap: { name: probeName(setup) } }],
    },
  }
}
