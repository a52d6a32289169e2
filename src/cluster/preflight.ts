import { InputError, type Problem } from '../process/errors.ts'
import { clusterNameProblem } from './cluster-name.ts'
import { isPortFree } from './host-ports.ts'
import type { ClusterRequest } from './provider.ts'

/** What the checks look at. Bytes are bytes. */
export interface PreflightFacts {
  readonly inotifyInstances: number
  readonly inotifyWatches: number
  /** Free where Docker keeps images and containers. */
  readonly freeDiskBytes: number
  readonly freeDiskPath: string
  readonly availableMemoryBytes: number
}

const GiB = 1024 ** 3
/** Per node: kubelet, containerd and the journal alone use one instance each, pods the rest; 128 per user break at about three nodes (kind's known issues). */
const inotifyInstancesPerNode = 64
const inotifyWatchesPerNode = 8_192
/** Measured: four nodes with the system workloads use 1.0 GiB; the voting app and its images on top. */
const memoryBytes = { base: 0.75 * GiB, perNode: 0.25 * GiB }
const diskBytes = { base: 2 * GiB, perNode: 0.5 * GiB }

/**
 * Every problem of request and host, before anything is made, in one InputError; each with the number found and the fix. Without `host` only the request is
 * looked at, for a cluster that is there already.
 */
export async function preflight(
  request: ClusterRequest,
  host: { readonly facts: PreflightFacts; readonly nodeCount: number } | undefined,
): Promise<void> {
  const problems = requestProblems(request)
  if (host !== undefined) problems.push(...hostProblems(host.nodeCount, host.facts))
  if (host !== undefined && request.registryPort !== undefined && !(await isPortFree(request.registryPort))) {
    problems.push({
      name: 'registry-port',
      value: String(request.registryPort),
      problem: 'is taken on 127.0.0.1',
      allowed: 'a free port, or none to have one chosen',
    })
  }
  if (problems.length > 0) throw new InputError(problems, { code: 'PREFLIGHT_FAILED' })
}

export function requestProblems(request: ClusterRequest): Problem[] {
  const problems: Problem[] = []
  const name = clusterNameProblem(request.name)
  if (name !== undefined) problems.push(name)
  const controlPlanes = request.nodes.filter((node) => node.role === 'control-plane').length
  if (controlPlanes === 0 && request.nodesDefaulted !== true) {
    problems.push({ name: 'control-planes', value: '0', problem: 'is too few', allowed: '1 or more', example: '1' })
  }
  if (request.imageSource === 'packages' && controlPlanes > 1) {
    problems.push({
      name: 'control-planes',
      value: String(controlPlanes),
      problem: 'needs the load balancer image of kind, which package registries do not have',
      allowed: '1 with image-source packages',
    })
  }
  if (request.imageSource === 'packages' && request.nodeImage !== undefined) {
    problems.push({
      name: 'node-image',
      value: request.nodeImage,
      problem: 'cannot be pulled with image-source packages',
      allowed: 'kubernetes-version, or image-source registry',
    })
  }
  return problems
}

export function hostProblems(nodeCount: number, facts: PreflightFacts): Problem[] {
  const problems: Problem[] = []
  const atLeast = (name: string, found: number, needed: number, show: (value: number) => string, fix: string): void => {
    if (found >= needed) return
    problems.push({
      name,
      value: show(found),
      problem: `is too low for ${nodeCount} nodes, which need ${show(needed)}`,
      allowed: fix,
    })
  }
  const whole = (value: number): string => String(value)
  atLeast(
    'fs.inotify.max_user_instances',
    facts.inotifyInstances,
    nodeCount * inotifyInstancesPerNode,
    whole,
    'sudo sysctl fs.inotify.max_user_instances=512',
  )
  atLeast(
    'fs.inotify.max_user_watches',
    facts.inotifyWatches,
    nodeCount * inotifyWatchesPerNode,
    whole,
    'sudo sysctl fs.inotify.max_user_watches=524288',
  )
  atLeast(
    'memory',
    facts.availableMemoryBytes,
    memoryBytes.base + nodeCount * memoryBytes.perNode,
    gibibytes,
    'a larger machine, or fewer `workers`',
  )
  atLeast(
    `disk at ${facts.freeDiskPath}`,
    facts.freeDiskBytes,
    diskBytes.base + nodeCount * diskBytes.perNode,
    gibibytes,
    'docker system prune, or a larger disk',
  )
  return problems
}

function gibibytes(bytes: number): string {
  return `${(bytes / GiB).toFixed(1)} GiB`
}
