import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { CommandError, messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { type Container, clusterLabel, kindClusterLabel, listContainers } from './docker.ts'
import type { ClusterState } from './state.ts'

export interface DiskFacts {
  /** A mount point in a node, a folder of the host. */
  readonly path: string
  readonly sizeBytes: number
  readonly freeBytes: number
}

export interface ServiceFacts {
  readonly name: 'containerd' | 'kubelet'
  /** systemd's words: `masked`, `loaded`; `active`, `failed`, `activating`, `inactive`; `exit-code`. */
  readonly load: string
  readonly active: string
  readonly result: string
  readonly restarts: number
}

export interface ContainerFacts {
  readonly name: string
  /** kind's role, or '' on the registry. */
  readonly role: string
  readonly state: string
  readonly exitCode: number
  readonly outOfMemory: boolean
}

export interface NodeFacts extends ContainerFacts {
  readonly services: readonly ServiceFacts[]
  readonly disks: readonly DiskFacts[]
}

/** What is looked at once a creation has failed. What could not be looked at is absent: absence proves nothing. */
export interface CreationFacts {
  /** Why the Docker engine does not answer; undefined when it does. */
  readonly engineProblem?: string
  readonly hostDisks: readonly DiskFacts[]
  readonly nodes: readonly NodeFacts[]
  /** Undefined where there was to be none. */
  readonly registry?: ContainerFacts
  /** Undefined where no API server answered. */
  readonly api?: {
    readonly nodes: readonly KubeObject[]
    readonly pods: readonly KubeObject[]
    readonly daemonSets: readonly KubeObject[]
  }
}

const quickMs = 8_000

/** Looks at engine, disks, node containers and their services, and the API; each part by itself, so that one that hangs or fails leaves the others. */
export async function creationFacts(
  host: Host,
  state: Pick<ClusterState, 'name' | 'folder' | 'registry'>,
  kubernetes: Kubernetes | undefined,
): Promise<CreationFacts> {
  const [engineProblem, hostDisks, containers, api] = await Promise.all([
    engineProblemOf(host),
    Promise.all([host.paths.state, state.folder].map(hostDisk)),
    containersOf(host, state.name).catch(() => []),
    kubernetes === undefined ? undefined : apiFacts(kubernetes).catch(() => undefined),
  ])
  const inspected = await inspect(host, containers).catch(() => [])
  const nodes = await Promise.all(
    inspected
      .filter((container) => container.role === 'control-plane' || container.role === 'worker')
      .map(async (container) => ({ ...container, ...(await insideNode(host, container)) })),
  )
  const registry = registryFacts(state, inspected, engineProblem)
  return {
    hostDisks: hostDisks.flat(),
    // The control plane first: what is wrong there explains the others.
    nodes: nodes.sort((a, b) => a.role.localeCompare(b.role) || a.name.localeCompare(b.name)),
    ...(engineProblem === undefined ? {} : { engineProblem }),
    ...(registry === undefined ? {} : { registry }),
    ...(api === undefined ? {} : { api }),
  }
}

async function engineProblemOf(host: Host): Promise<string | undefined> {
  try {
    await host.exec.run('docker', ['version', '--format', '{{.Server.Version}}'], { quiet: true, timeoutMs: quickMs })
    return undefined
  } catch (error) {
    const said = error instanceof CommandError ? error.stderr.trim().split('\n').at(-1) : undefined
    return said || messageOf(error)
  }
}

/** The folder may be gone already, or not be there yet. */
export async function hostDisk(path: string): Promise<DiskFacts[]> {
  for (const folder of [path, dirname(path)]) {
    const facts = await statfs(folder).catch(() => undefined)
    if (facts !== undefined)
      return [{ path: folder, sizeBytes: facts.blocks * facts.bsize, freeBytes: facts.bavail * facts.bsize }]
  }
  return []
}

async function containersOf(host: Host, cluster: string): Promise<Container[]> {
  const labels = [`${kindClusterLabel}=${cluster}`, `${clusterLabel}=${cluster}`]
  return (await Promise.all(labels.map((label) => listContainers(host, label)))).flat()
}

async function inspect(host: Host, containers: readonly Container[]): Promise<ContainerFacts[]> {
  if (containers.length === 0) return []
  const format = '{{.Name}}\t{{.State.Status}}\t{{.State.ExitCode}}\t{{.State.OOMKilled}}'
  const ids = containers.map((container) => container.id)
  const { stdout } = await host.exec.run('docker', ['inspect', '--format', format, ...ids], {
    quiet: true,
    allowFailure: true,
    timeoutMs: quickMs,
  })
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [path = '', state = '', exitCode = '', outOfMemory] = line.split('\t')
      const name = path.replace(/^\//, '')
      const role = containers.find((container) => container.name === name)?.role ?? ''
      return { name, role, state, exitCode: Number(exitCode), outOfMemory: outOfMemory === 'true' }
    })
}

function registryFacts(
  state: Pick<ClusterState, 'registry'>,
  inspected: readonly ContainerFacts[],
  engineProblem: string | undefined,
): ContainerFacts | undefined {
  const name = state.registry?.container
  if (name === undefined || engineProblem !== undefined) return undefined
  const gone = { name, role: '', state: 'gone', exitCode: 0, outOfMemory: false }
  return inspected.find((container) => container.name === name) ?? gone
}

async function insideNode(host: Host, container: ContainerFacts): Promise<Pick<NodeFacts, 'services' | 'disks'>> {
  if (container.state !== 'running') return { services: [], disks: [] }
  const run = async (...command: string[]): Promise<string> => {
    const options = { quiet: true, allowFailure: true, timeoutMs: quickMs }
    return (
      (await host.exec.run('docker', ['exec', container.name, ...command], options).catch(() => undefined))?.stdout ??
      ''
    )
  }
  const properties = 'LoadState,ActiveState,Result,NRestarts'
  const services = (['containerd', 'kubelet'] as const).map(async (name): Promise<ServiceFacts[]> => {
    const text = await run('systemctl', 'show', `--property=${properties}`, `${name}.service`)
    const facts = Object.fromEntries(text.split('\n').map((line) => line.split('=', 2)))
    const { LoadState: load, ActiveState: active, Result: result, NRestarts: restarts } = facts
    return load === undefined ? [] : [{ name, load, active, result, restarts: Number(restarts ?? 0) }]
  })
  const disks = run('df', '-P', '-B', '1', '/', '/var', '/var/lib/containerd', '/var/lib/kubelet').then(parseDf)
  return { services: (await Promise.all(services)).flat(), disks: await disks }
}

/** POSIX output of df: device, blocks, used, available, percentage, mount point. */
export function parseDf(text: string): DiskFacts[] {
  const disks = new Map<string, DiskFacts>()
  for (const line of text.split('\n').slice(1)) {
    const match = /^\S+\s+(\d+)\s+\d+\s+(\d+)\s+\S+\s+(\/.*)$/.exec(line)
    if (match?.[3] !== undefined)
      disks.set(match[3], { path: match[3], sizeBytes: Number(match[1]), freeBytes: Number(match[2]) })
  }
  return [...disks.values()]
}

async function apiFacts(kubernetes: Kubernetes): Promise<CreationFacts['api']> {
  const [nodes, pods, daemonSets] = await Promise.all([
    kubernetes.list({ apiVersion: 'v1', kind: 'Node' }),
    kubernetes.list({ apiVersion: 'v1', kind: 'Pod' }),
    kubernetes.list({ apiVersion: 'apps/v1', kind: 'DaemonSet' }),
  ])
  return { nodes, pods, daemonSets }
}
