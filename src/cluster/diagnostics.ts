import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject, ResourceKind } from '../kubernetes/objects.ts'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { podTrouble } from './culprit.ts'
import { clusterLabel, kindClusterLabel, listContainers } from './docker.ts'
import { exportNodeLogs } from './node-logs.ts'

/** Written whole, one file each: together they answer most questions without the cluster. */
const objects: readonly (readonly [string, ResourceKind])[] = [
  ['nodes', { apiVersion: 'v1', kind: 'Node' }],
  ['pods', { apiVersion: 'v1', kind: 'Pod' }],
  ['services', { apiVersion: 'v1', kind: 'Service' }],
  ['endpointslices', { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' }],
  ['persistentvolumeclaims', { apiVersion: 'v1', kind: 'PersistentVolumeClaim' }],
  ['leases', { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' }],
  ['deployments', { apiVersion: 'apps/v1', kind: 'Deployment' }],
  ['daemonsets', { apiVersion: 'apps/v1', kind: 'DaemonSet' }],
  ['statefulsets', { apiVersion: 'apps/v1', kind: 'StatefulSet' }],
  ['storageclasses', { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' }],
]

const logTailLines = 2_000

export interface DiagnosticsRequest {
  readonly cluster: string
  readonly folder: string
  /** Path of kind; without it the nodes' journals are left out. */
  readonly kind?: string
  /** undefined where no API server ever answered. */
  readonly kubernetes?: Kubernetes
}

/**
 * Collects what is needed to understand a broken cluster: `containers.txt`, the nodes' journals and container logs (`nodes/`), API objects (`objects/*.json`),
 * `events.txt`, and the logs of every pod in trouble, previous ones included (`pods/`). Every part is tried; a part that fails leaves a note in `notes.txt`.
 * Resolves with the folder, never rejects.
 */
export async function collectDiagnostics(host: Host, request: DiagnosticsRequest): Promise<string> {
  const notes: string[] = []
  const part = async (what: string, collect: () => Promise<void>): Promise<void> => {
    try {
      await collect()
    } catch (error) {
      notes.push(`${what}: ${messageOf(error)}`)
    }
  }
  const { kubernetes, kind } = request
  await part('folder', async () => void (await mkdir(request.folder, { recursive: true })))
  await Promise.all([
    part('containers', () => containerStates(host, request)),
    kind === undefined
      ? notes.push('nodes: kind is not known')
      : part('nodes', () => exportNodeLogs(host, kind, request.cluster, join(request.folder, 'nodes'))),
    ...(kubernetes === undefined
      ? [notes.push('objects: there is no API server to ask')]
      : [
          part('objects', () => apiObjects(kubernetes, join(request.folder, 'objects'), notes)),
          part('events', () => events(kubernetes, request.folder)),
          part('pods', () => podLogs(kubernetes, join(request.folder, 'pods'))),
        ]),
  ])
  if (notes.length > 0) await writeFile(join(request.folder, 'notes.txt'), `${notes.join('\n')}\n`).catch(() => {})
  return request.folder
}

async function containerStates(host: Host, request: DiagnosticsRequest): Promise<void> {
  const labels = [`${kindClusterLabel}=${request.cluster}`, `${clusterLabel}=${request.cluster}`]
  const lists = await Promise.all(labels.map((label) => listContainers(host, label)))
  const lines = lists
    .flat()
    .map((container) => `${container.name}\t${container.role}\t${container.state}\t${container.id}`)
  await writeFile(join(request.folder, 'containers.txt'), `${lines.join('\n')}\n`)
}

async function apiObjects(kubernetes: Kubernetes, folder: string, notes: string[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  await Promise.all(
    objects.map(async ([name, kind]) => {
      try {
        const items = await kubernetes.list(kind)
        const text = JSON.stringify(items, forReaders, 2)
        await writeFile(join(folder, `${name}.json`), `${text}\n`)
      } catch (error) {
        notes.push(`objects/${name}: ${messageOf(error)}`)
      }
    }),
  )
}

/** managedFields are half of the bytes and tell a reader nothing. What a container's environment holds in plain text, and the manifest that has it too, may be a secret. */
function forReaders(key: string, value: unknown): unknown {
  if (key === 'managedFields' || key === 'kubectl.kubernetes.io/last-applied-configuration') return undefined
  if (key !== 'env' || !Array.isArray(value)) return value
  return value.map((entry: unknown) =>
    typeof entry === 'object' && entry !== null && 'value' in entry ? { ...entry, value: '***' } : entry,
  )
}

async function events(kubernetes: Kubernetes, folder: string): Promise<void> {
  const list = await kubernetes.list({ apiVersion: 'v1', kind: 'Event' })
  const lines = list.map(eventLine).sort()
  await writeFile(join(folder, 'events.txt'), `${lines.join('\n')}\n`)
}

/** `2026-11-21T10:00:00Z Warning FailedMount Pod kube-system/coredns-x (3 times): ...`. */
export function eventLine(event: KubeObject): string {
  const time = event['lastTimestamp'] ?? event['eventTime'] ?? event.metadata.creationTimestamp ?? ''
  const about = event['involvedObject'] ?? {}
  const name = about.namespace === undefined ? about.name : `${about.namespace}/${about.name}`
  const times = (event['count'] ?? 1) > 1 ? ` (${event['count']} times)` : ''
  return `${time} ${event['type']} ${event['reason']} ${about.kind} ${name}${times}: ${String(event['message'] ?? '').replaceAll('\n', ' ')}`
}

async function podLogs(kubernetes: Kubernetes, folder: string): Promise<void> {
  const pods = await kubernetes.list({ apiVersion: 'v1', kind: 'Pod' })
  const wanted = pods.flatMap((pod) =>
    ((pod['status']?.containerStatuses ?? []) as { name: string; restartCount: number }[]).flatMap((status) => [
      ...(podTrouble(pod) === undefined ? [] : [{ pod, container: status.name, previous: false }]),
      ...(status.restartCount > 0 ? [{ pod, container: status.name, previous: true }] : []),
    ]),
  )
  if (wanted.length > 0) await mkdir(folder, { recursive: true })
  await Promise.all(
    wanted.map(async ({ pod, container, previous }) => {
      const { name, namespace = 'default' } = pod.metadata
      const text = await kubernetes
        .logs({ namespace, pod: name, container, previous, tailLines: logTailLines })
        .catch((error: unknown) => `no log: ${messageOf(error)}\n`)
      await writeFile(join(folder, `${namespace}.${name}.${container}${previous ? '.previous' : ''}.log`), text)
    }),
  )
}
