import { conditionOf, isReady } from '../kubernetes/conditions.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { type Culprit, type Failure, room } from './creation-culprit.ts'
import { podTrouble } from './culprit.ts'
import { imageNeverComes, isOurs } from './never-comes.ts'

// Causes that the API server tells: the cluster is there, and not what it was to be.

const pressures = ['DiskPressure', 'MemoryPressure', 'PIDPressure']

export function nodeUnderPressure({ facts }: Failure): Culprit | undefined {
  for (const node of facts.api?.nodes ?? []) {
    const conditions = (node['status']?.conditions ?? []) as { type: string; status: string; message?: string }[]
    const found = conditions.find((condition) => pressures.includes(condition.type) && condition.status === 'True')
    if (found === undefined) continue
    const disk = facts.nodes
      .find((entry) => entry.name === node.metadata.name)
      ?.disks.find(({ path }) => path.startsWith('/var'))
    const seen = found.type === 'DiskPressure' && disk !== undefined ? ` (${disk.path}: ${room(disk)})` : ''
    return {
      code: 'NODE_PRESSURE',
      line: `node ${node.metadata.name} has ${found.type}, so its kubelet starts no pods: ${found.message ?? 'no message'}${seen}`,
      next: 'Give the host more of it, or change the eviction thresholds in your kind config.',
    }
  }
  return undefined
}

/** The kubelet's words for "there is no CNI configuration": it writes them into the Ready condition. */
const noNetwork = /NetworkPluginNotReady|cni plugin not initialized|network plugin is not ready/i

export function networkNotStarted({ facts, code }: Failure): Culprit | undefined {
  const { api } = facts
  if (api === undefined) return undefined
  const agents = api.daemonSets.filter(
    (daemonSet) => daemonSet.metadata.namespace === 'kube-system' && bringsNetwork(daemonSet),
  )
  const troubled = api.pods.filter(
    (pod) => agents.some((agent) => ownedBy(pod, agent)) && podTrouble(pod) !== undefined,
  )
  const imageless = troubled.find((pod) => imageNeverComes(pod) !== undefined)
  const broken = imageless ?? troubled[0]
  // A kubelet that has just started says less: without its agent's image a node that is not Ready has no network either.
  const without = api.nodes.filter(
    (node) => noNetwork.test(notReadyMessage(node)) || (imageless !== undefined && !isReady(node)),
  )
  const [first] = without
  if (first === undefined) return undefined
  const where = `on ${without.length} of ${api.nodes.length} nodes, ${first.metadata.name} for one`
  // What ended the gate early is another image: the network had not had its time.
  if (code === 'IMAGE_NOT_FOUND' && imageless === undefined) return undefined
  const agent = agents.find((entry) => broken !== undefined && ownedBy(broken, entry)) ?? agents[0]
  if (agent === undefined)
    return {
      code: 'NETWORK_NOT_READY',
      line: `nothing provides the pod network: there is no DaemonSet for it, and ${without.length} of ${api.nodes.length} nodes wait`,
      next: 'With `disableDefaultCNI` in the kind config, leave `nodes` and `system` out of `wait-for` and install your own.',
    }
  const name = `DaemonSet ${agent.metadata.namespace}/${agent.metadata.name}`
  const status = agent['status']
  const seen =
    broken === undefined
      ? `${status?.numberReady ?? 0} of ${status?.desiredNumberScheduled ?? 0} pods ready`
      : `pod ${broken.metadata.name}: ${podTrouble(broken)}`
  return {
    code: 'NETWORK_NOT_READY',
    line: `the pod network has not started ${where}: ${name}: ${seen}`,
    next: `Read why: \`kubectl -n ${agent.metadata.namespace} describe daemonset ${agent.metadata.name}\`, and its pods' logs.`,
  }
}

export function imageNotPulled({ facts }: Failure): Culprit | undefined {
  for (const pod of (facts.api?.pods ?? []).filter(isOurs)) {
    const found = imageNeverComes(pod)
    if (found === undefined) continue
    return {
      code: 'IMAGE_NOT_FOUND',
      line: `image ${found.image} cannot be pulled, so pod ${pod.metadata.namespace}/${pod.metadata.name} does not start: ${found.why}`,
      next: 'Correct its name or tag, or push it; with `image-source: packages` only what has a recipe exists.',
    }
  }
  return undefined
}

/** A network's agent writes the CNI configuration of its node; kube-proxy and a log shipper beside it do not. */
function bringsNetwork(daemonSet: KubeObject): boolean {
  const volumes = (daemonSet['spec']?.template?.spec?.volumes ?? []) as readonly { hostPath?: { path?: string } }[]
  return volumes.some(({ hostPath }) => hostPath?.path?.startsWith('/etc/cni') === true)
}

function notReadyMessage(node: KubeObject): string {
  return isReady(node) ? '' : (conditionOf(node, 'Ready')?.message ?? '')
}

function ownedBy(pod: KubeObject, owner: KubeObject): boolean {
  const owners = (pod.metadata['ownerReferences'] ?? []) as readonly { kind: string; name: string }[]
  return owners.some((entry) => entry.kind === owner.kind && entry.name === owner.metadata.name)
}
