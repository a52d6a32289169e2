import { stringify } from 'yaml'
import { defaultProbeImage } from '../../src/assert/probe-pods.ts'
import { restrictedContainer, restrictedPod } from '../../src/kubernetes/restricted-pod.ts'
import type { DrillCluster } from '../e2e/cluster-fixture.ts'

/** Name of its Deployment and of its Service, and its label `app`. */
export const plainApp = 'plain'

/** An app as anybody may have one: two pods that answer HTTP, a Service, a headless Service. */
export function plainAppManifest(namespace: string): string {
  const labels = { app: plainApp }
  const metadata = { name: plainApp, namespace }
  const answer = 'require("http").createServer((_, out) => out.end("plain")).listen(8080)'
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }]
  const container = {
    name: 'plain',
    image: defaultProbeImage,
    imagePullPolicy: 'IfNotPresent',
    command: ['node', '-e', answer],
    ports: [{ containerPort: 8080 }],
    readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
    securityContext: restrictedContainer,
  }
  const template = {
    metadata: { labels },
    spec: { securityContext: restrictedPod, terminationGracePeriodSeconds: 1, containers: [container] },
  }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { replicas: 2, selector: { matchLabels: labels }, template },
    },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata, name: 'plain-headless' },
      spec: { clusterIP: 'None', selector: labels, ports: [{ name: 'http', port: 8080 }] },
    },
  ]
    .map((object) => stringify(object))
    .join('---\n')
}

/** The cluster's own kubectl, in its control plane: nothing of ours between it and the API server. */
export async function kubectl(
  { host, kubernetes }: DrillCluster,
  args: readonly string[],
  stdin?: string,
): Promise<string> {
  const label = 'node-role.kubernetes.io/control-plane'
  const [node] = await kubernetes.list({ apiVersion: 'v1', kind: 'Node' }, { labelSelector: label })
  const argv = [
    'exec',
    '-i',
    node?.metadata.name ?? '',
    'kubectl',
    '--kubeconfig',
    '/etc/kubernetes/admin.conf',
    ...args,
  ]
  const run = await host.exec.run('docker', argv, {
    timeoutMs: 120_000,
    ...(stdin === undefined ? {} : { input: stdin }),
  })
  return run.stdout
}
