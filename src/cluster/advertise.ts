import { stringify } from 'yaml'
import type { Kubernetes } from '../kubernetes/client.ts'
import { registryContainer } from './registry.ts'

/**
 * Tells tools of the cluster where the local registry is, in the form they agreed on (KEP-1755): Tilt, Skaffold and others read it.
 * `port` is the host port.
 */
export async function advertiseRegistry(kubernetes: Kubernetes, cluster: string, port: number): Promise<void> {
  const inNetwork = `${registryContainer(cluster)}:5000`
  await kubernetes.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'local-registry-hosting', namespace: 'kube-public' },
    data: {
      'localRegistryHosting.v1': stringify({
        host: `127.0.0.1:${port}`,
        hostFromContainerRuntime: inNetwork,
        hostFromClusterNetwork: inNetwork,
        help: 'https://kind.sigs.k8s.io/docs/user/local-registry/',
      }),
    },
  })
}

/** Keeps the host ports with the cluster, so that whoever has only a kubeconfig can print URLs that work. */
export async function advertiseHostPorts(
  kubernetes: Kubernetes,
  hostPorts: Readonly<Record<string, string>>,
): Promise<void> {
  await kubernetes.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'k8s-platform-host-ports', namespace: 'kube-system' },
    data: { ...hostPorts },
  })
}
