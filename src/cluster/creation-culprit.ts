import { imageNotPulled, networkNotStarted, nodeUnderPressure } from './cluster-culprit.ts'
import type { CreationFacts, DiskFacts, NodeFacts } from './creation-facts.ts'
import type { NodeFault } from './node-fault.ts'
import { shorten } from './reasons.ts'

/** The one thing that explains a failed creation. */
export interface Culprit {
  readonly code: string
  /** Object, host and number, on one line. */
  readonly line: string
  /** What a person does next. */
  readonly next: string
}

export interface Failure {
  readonly code: string
  /** The error's own message and what the failed program printed. */
  readonly text: string
  /** What a node's services logged, where that is known to be a cause. */
  readonly fault: NodeFault | undefined
  readonly facts: CreationFacts
}

const mebibyte = 1024 ** 2
/** Less than this is no room to write a log line or unpack an image layer. */
const fullBytes = 8 * mebibyte

/**
 * The causes in the order in which one explains the next: without engine nothing runs, without room nothing starts, without a node's services no node joins, without nodes
 * no network, without network nothing is ready. The first that the facts show is the culprit; undefined when none is shown.
 */
export function creationCulprit(failure: Failure): Culprit | undefined {
  for (const cause of causes) {
    const culprit = cause(failure)
    if (culprit !== undefined) return culprit
  }
  return undefined
}

const causes: readonly ((failure: Failure) => Culprit | undefined)[] = [
  engineLost,
  hostDiskFull,
  nodeStopped,
  nodeDiskFull,
  serviceFailed,
  nodeMissing,
  nodeUnderPressure,
  registryLost,
  networkNotStarted,
  imageNotPulled,
]

function engineLost({ facts }: Failure): Culprit | undefined {
  if (facts.engineProblem === undefined) return undefined
  return {
    code: 'DOCKER_LOST',
    line: `the Docker engine stopped answering: ${shorten(facts.engineProblem)}`,
    next: 'Look at what became of it: `journalctl -u docker --since -10m`, `dmesg | grep -i oom`. Once it runs, the same command replaces what is left.',
  }
}

function hostDiskFull({ facts }: Failure): Culprit | undefined {
  const disk = facts.hostDisks.find((entry) => entry.freeBytes < fullBytes)
  return disk === undefined ? undefined : fullHostDisk(disk)
}

export function fullHostDisk(disk: DiskFacts): Culprit {
  return {
    code: 'DISK_FULL',
    line: `the disk of ${disk.path} on this host is full: ${room(disk)}`,
    next: `Free some room: \`df -h ${disk.path}\`, \`docker system prune\`, \`k8s-platform images prune\`.`,
  }
}

function nodeStopped({ facts }: Failure): Culprit | undefined {
  // One that was created and never started was refused by Docker, which said why.
  const node = facts.nodes.find((entry) => entry.state !== 'running' && entry.state !== 'created')
  if (node === undefined) return undefined
  const why = node.outOfMemory ? 'out of memory' : `exit code ${node.exitCode}`
  return {
    code: 'NODE_STOPPED',
    line: `the container of node ${node.name} is ${node.state} (${why})`,
    next: node.outOfMemory
      ? 'Give the machine more memory or ask for fewer workers.'
      : `See why it ended: \`docker logs --tail 50 ${node.name}\`.`,
  }
}

function nodeDiskFull({ facts, text, fault }: Failure): Culprit | undefined {
  const said = /no space left on device/i
  for (const node of facts.nodes) {
    const disk = node.disks.find((entry) => entry.freeBytes < fullBytes)
    if (disk === undefined) continue
    return {
      code: 'DISK_FULL',
      line: `the disk of node ${node.name} at ${disk.path} is full: ${room(disk)}`,
      next: `See what fills it: \`docker exec ${node.name} df -h\`. A node without mounts of its own shares the disk of Docker's data folder.`,
    }
  }
  if (fault !== undefined && said.test(fault.fact))
    return { code: 'DISK_FULL', line: `no room on node ${fault.fact}`, next: fault.hint ?? '' }
  const line = text.split('\n').find((entry) => said.test(entry))
  if (line === undefined) return undefined
  return {
    code: 'DISK_FULL',
    line: shorten(line),
    next: 'Free some room on this host: `df -h`, `docker system prune`.',
  }
}

function serviceFailed({ facts, fault, text }: Failure): Culprit | undefined {
  for (const node of candidates(facts, text)) {
    const service = node.services.find(
      (entry) =>
        entry.load === 'masked' || entry.active === 'failed' || (entry.active === 'activating' && entry.restarts > 0),
    )
    if (service === undefined) continue
    const told = fault?.node === node.name && fault.service === service.name ? fault : undefined
    const state =
      service.load === 'masked'
        ? 'masked, so nothing can start it'
        : service.active === 'failed'
          ? `failed (${service.result})`
          : `ending again and again, ${service.restarts} times so far`
    return {
      code: 'NODE_NOT_JOINED',
      line: `node ${node.name} cannot come up: its ${service.name} is ${state}${told === undefined ? '' : `: ${told.message}`}`,
      next: told?.hint ?? `Read its journal: \`docker exec ${node.name} journalctl -u ${service.name} -n 50\`.`,
    }
  }
  if (fault?.hint !== undefined)
    return {
      code: 'NODE_NOT_JOINED',
      line: `node ${fault.node} cannot come up: ${fault.service}: ${fault.message}`,
      next: fault.hint,
    }
  return undefined
}

/** Services of a node whose turn has not come yet do not run either: a worker counts once the API answers, or when kind failed with it. */
function candidates(facts: CreationFacts, text: string): readonly NodeFacts[] {
  const joined = new Set(facts.api?.nodes.map((node) => node.metadata.name))
  return facts.nodes.filter(
    (node) =>
      !joined.has(node.name) && (node.role === 'control-plane' || facts.api !== undefined || text.includes(node.name)),
  )
}

function nodeMissing({ facts }: Failure): Culprit | undefined {
  const { api } = facts
  if (api === undefined) return undefined
  const joined = new Set(api.nodes.map((node) => node.metadata.name))
  const missing = facts.nodes.filter((node) => !joined.has(node.name))
  const [first] = missing
  if (first === undefined) return undefined
  const kubelet = first.services.find((service) => service.name === 'kubelet')
  const others = missing.length > 1 ? ` and ${missing.length - 1} more` : ''
  const seen = kubelet === undefined ? '' : `; its kubelet is ${kubelet.active}`
  return {
    code: 'NODE_NOT_JOINED',
    line: `node ${first.name}${others} of ${facts.nodes.length} never joined the cluster${seen}`,
    next: `Read what it waited for: \`docker exec ${first.name} journalctl -u kubelet -n 50\`.`,
  }
}

function registryLost({ facts }: Failure): Culprit | undefined {
  const { registry } = facts
  if (registry === undefined || registry.state === 'running') return undefined
  const how = registry.state === 'gone' ? 'is gone' : `is ${registry.state} (exit code ${registry.exitCode})`
  return {
    code: 'REGISTRY_LOST',
    line: `the local registry, container ${registry.name}, ${how}: images can be neither pushed nor pulled`,
    next:
      registry.state === 'gone'
        ? 'Something removed it while the cluster was made: look for a clean-up job on this host.'
        : `See why it ended: \`docker logs --tail 50 ${registry.name}\`.`,
  }
}

export function room(disk: DiskFacts): string {
  return `${(disk.freeBytes / mebibyte).toFixed(1)} of ${Math.round(disk.sizeBytes / mebibyte)} MiB free`
}
