import { stringify } from 'yaml'
import type { Problem } from '../process/errors.ts'
import type { NodeRequest } from './provider.ts'

/** One entry of a kind config's `nodes`; keys we do not know pass through. */
export interface KindNode {
  readonly role?: 'control-plane' | 'worker'
  readonly labels?: Readonly<Record<string, string>>
  readonly kubeadmConfigPatches?: readonly string[]
  readonly [key: string]: unknown
}

const zoneLabel = 'topology.kubernetes.io/zone'
/** kubeadm's own; a list of taints in its config replaces it, so it is written out where it shall stay. */
const controlPlaneTaint = { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }

/** Nodes asked for and nodes of the user's config as one list; conflicts are added to `problems`. The rules are those of `kindConfig`. */
export function mergeNodes(
  asked: readonly NodeRequest[],
  user: readonly KindNode[] | undefined,
  askedByDefault: boolean,
  problems: Problem[],
): KindNode[] {
  if (user === undefined)
    return withSchedulableNode(
      asked.map((request) => toKindNode({}, request, asked, problems, '')),
      asked,
    )
  if (askedByDefault) return [...user]
  for (const role of ['control-plane', 'worker'] as const) {
    const [here, there] = [asked, user].map((nodes) => nodes.filter((node) => roleOf(node) === role).length)
    if (here !== there) {
      problems.push({
        name: role === 'worker' ? 'workers' : 'control-planes',
        value: String(here),
        problem: `disagrees with config, which lists ${there}`,
        allowed: 'the same number in both, or only one of the two',
      })
    }
  }
  if (problems.length > 0) return [...user]
  const left = {
    'control-plane': asked.filter((node) => node.role === 'control-plane'),
    worker: asked.filter((node) => node.role === 'worker'),
  }
  return user.map((node, index) => {
    const request = left[roleOf(node)].shift()
    return request === undefined ? node : toKindNode(node, request, asked, problems, `config.nodes[${index}]`)
  })
}

function toKindNode(
  base: KindNode,
  request: NodeRequest,
  all: readonly NodeRequest[],
  problems: Problem[],
  where: string,
): KindNode {
  const wanted = { ...request.labels, ...(request.zone === undefined ? {} : { [zoneLabel]: request.zone }) }
  if (
    request.zone !== undefined &&
    request.labels?.[zoneLabel] !== undefined &&
    request.labels[zoneLabel] !== request.zone
  ) {
    problems.push({
      name: 'zone',
      value: request.zone,
      problem: `disagrees with the label ${zoneLabel}=${request.labels[zoneLabel]} of the same node`,
    })
  }
  for (const [key, value] of Object.entries(wanted)) {
    const present = base.labels?.[key]
    if (present !== undefined && String(present) !== value) {
      problems.push({
        name: `${where}.labels`,
        value: `${key}=${present}`,
        problem: `conflicts with ${key}=${value} asked for`,
      })
    }
  }
  const patch = taintPatch(request, all, problems)
  if (patch.length > 0 && base.kubeadmConfigPatches?.some((own) => /^\s*["']?taints["']?\s*:/m.test(own))) {
    problems.push({
      name: 'taints',
      value: (request.taints ?? []).join(', '),
      problem: `conflicts with the taints that ${where}.kubeadmConfigPatches sets`,
      allowed: 'taints in one of the two',
    })
  }
  return {
    ...base,
    role: request.role,
    ...(Object.keys(wanted).length === 0 && base.labels === undefined ? {} : { labels: { ...wanted, ...base.labels } }),
    ...(patch.length === 0 ? {} : { kubeadmConfigPatches: [...(base.kubeadmConfigPatches ?? []), ...patch] }),
  }
}

/** Taints are set as the node registers: set later, pods that were scheduled in between would stay. */
function taintPatch(request: NodeRequest, all: readonly NodeRequest[], problems: Problem[]): string[] {
  const taints = (request.taints ?? []).flatMap((text) => {
    const taint = parseTaint(text)
    if (taint === undefined) {
      problems.push({
        name: 'taints',
        value: text,
        problem: 'is not a taint',
        allowed: '<key>[=<value>]:<NoSchedule|PreferNoSchedule|NoExecute>',
        example: 'dedicated=ingress:NoSchedule',
      })
    }
    return taint === undefined ? [] : [taint]
  })
  if (taints.length === 0) return []
  const keep = request.role === 'control-plane' && all.some((node) => node.role === 'worker') ? [controlPlaneTaint] : []
  return nodeRegistrationPatches(request.role, [...keep, ...taints])
}

/** The first control plane is made by `kubeadm init`, the others join; a patch for an object that is not there is skipped, so both may stand. */
function nodeRegistrationPatches(role: NodeRequest['role'], taints: readonly object[]): string[] {
  const kinds = role === 'control-plane' ? ['InitConfiguration', 'JoinConfiguration'] : ['JoinConfiguration']
  return kinds.map((kind) => stringify({ kind, nodeRegistration: { taints } }))
}

/** kind lifts the control plane's taint only from a cluster of one node; several control planes without workers could run nothing. */
function withSchedulableNode(nodes: KindNode[], asked: readonly NodeRequest[]): KindNode[] {
  if (nodes.length < 2 || asked.some((node) => node.role === 'worker')) return nodes
  return nodes.map((node) =>
    node.kubeadmConfigPatches === undefined
      ? { ...node, kubeadmConfigPatches: nodeRegistrationPatches('control-plane', []) }
      : node,
  )
}

export function parseTaint(text: string): { key: string; value?: string; effect: string } | undefined {
  const match = /^([A-Za-z0-9][A-Za-z0-9./_-]*)(?:=([A-Za-z0-9._-]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(
    text,
  )
  if (match?.[1] === undefined || match[3] === undefined) return undefined
  return { key: match[1], ...(match[2] === undefined ? {} : { value: match[2] }), effect: match[3] }
}

/** As kind names them: the first of a role by the role, the others with a number; several control planes get a load balancer. */
export function containerNames(cluster: string, nodes: readonly { readonly role?: string }[]): string[] {
  const count = new Map<string, number>()
  const names = nodes.map((node) => {
    const role = roleOf(node)
    const number = (count.get(role) ?? 0) + 1
    count.set(role, number)
    return `${cluster}-${role}${number === 1 ? '' : number}`
  })
  return (count.get('control-plane') ?? 0) > 1 ? [...names, `${cluster}-external-load-balancer`] : names
}

export function roleOf(node: { readonly role?: string }): 'control-plane' | 'worker' {
  return node.role === 'worker' ? 'worker' : 'control-plane'
}
