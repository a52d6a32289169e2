import { stringify } from 'yaml'
import { InputError, messageOf, type Problem } from '../process/errors.ts'
import { isMapping } from '../process/is-mapping.ts'
import { parseYamlDocument } from '../process/yaml-document.ts'
import { controlPlanePatch } from './kind-control-plane.ts'
import { type KindNode, mergeNodes } from './kind-nodes.ts'
import type { NodeRequest } from './provider.ts'

/** A kind Cluster config, as far as we look into it; every other key of the user's passes through untouched. */
export interface KindConfig {
  readonly kind: 'Cluster'
  readonly apiVersion: 'kind.x-k8s.io/v1alpha4'
  readonly nodes: readonly KindNode[]
  readonly [key: string]: unknown
}

export interface KindConfigRequest {
  readonly nodes: readonly NodeRequest[]
  readonly nodesDefaulted: boolean
  /** NodePort -> free port of 127.0.0.1. */
  readonly hostPorts: ReadonlyMap<number, number>
  /** The user's own config and what to call it in errors. */
  readonly user?: { readonly path: string; readonly text: string }
}

export interface GeneratedKindConfig {
  readonly config: KindConfig
  /** For kind's stdin (`--config -`). */
  readonly yaml: string
  /** NodePort -> `127.0.0.1:<host port>`, the user's own mappings included. */
  readonly hostPorts: Readonly<Record<string, string>>
  readonly nodeCount: number
  /** The config's own `name`, which the cluster's name replaces, as `kind --name` does. */
  readonly ignoredName?: string
}

const apiVersion = 'kind.x-k8s.io/v1alpha4'

/**
 * Merges what was asked for into the user's kind config:
 * - every key the config has stays as it is, `networking` and all patches included; `name` alone gives way to the cluster's name;
 * - our settings of the control plane's programs come before the config's patches, which therefore win;
 * - its `nodes` decide when nobody asked for nodes; where both did, the n-th control plane (worker) of one is the n-th of the other and the numbers must agree;
 * - labels, taints and zones are added to the node; a label with two values is a conflict;
 * - host ports for the mapped NodePorts go to the first control plane, unless the config maps that port itself: then its mapping is taken.
 * Throws one InputError with every conflict.
 */
export function kindConfig(request: KindConfigRequest): GeneratedKindConfig {
  const user = request.user === undefined ? {} : parseUserConfig(request.user.path, request.user.text)
  const userNodes = user['nodes'] as readonly KindNode[] | undefined
  const problems: Problem[] = []
  const nodes = mergeNodes(request.nodes, userNodes, request.nodesDefaulted, problems)
  const mapped = mapHostPorts(nodes, request.hostPorts)
  if (problems.length > 0) throw new InputError(problems, { code: 'KIND_CONFIG_CONFLICT' })
  const { name, ...rest } = user
  const own = rest['kubeadmConfigPatches'] ?? []
  const config: KindConfig = {
    ...rest,
    kind: 'Cluster',
    apiVersion,
    // A form that kind does not take stays as it is: kind says so.
    kubeadmConfigPatches: Array.isArray(own) ? [controlPlanePatch(mapped.nodes), ...own] : own,
    nodes: mapped.nodes,
  }
  return {
    config,
    yaml: stringify(config, { aliasDuplicateObjects: false }),
    hostPorts: mapped.hostPorts,
    nodeCount: mapped.nodes.length,
    ...(typeof name === 'string' ? { ignoredName: name } : {}),
  }
}

function parseUserConfig(path: string, text: string): Record<string, unknown> {
  const document = parseYamlDocument(text)
  const fault = (problem: string, allowed: string): InputError =>
    new InputError([
      { name: 'config', value: path, problem, allowed, example: `kind: Cluster, apiVersion: ${apiVersion}` },
    ])
  const first = document.errors[0]
  if (first !== undefined) throw fault(`is not YAML: ${first.message.split('\n')[0]}`, 'a kind config')
  let value: unknown
  try {
    value = document.toJS()
    // An anchor that lies in what it names is a value without end.
    JSON.stringify(value)
  } catch (error) {
    throw fault(`is not usable YAML: ${messageOf(error).split('\n')[0]}`, 'a kind config')
  }
  if (!isMapping(value)) throw fault('is not a mapping', 'a kind config')
  if (value['kind'] !== 'Cluster' || value['apiVersion'] !== apiVersion) {
    throw fault(
      `is of kind ${String(value['kind'])}, apiVersion ${String(value['apiVersion'])}`,
      `kind Cluster of ${apiVersion}`,
    )
  }
  const nodes = value['nodes']
  if (nodes !== undefined && !(Array.isArray(nodes) && nodes.every(isMapping))) {
    throw fault('has `nodes` that are not a list of mappings', 'nodes: [{role: control-plane}, {role: worker}]')
  }
  for (const node of (nodes ?? []) as readonly Record<string, unknown>[]) {
    const { labels = {}, kubeadmConfigPatches: patches = [], extraPortMappings: ports = [] } = node
    const fits =
      isMapping(labels) &&
      Array.isArray(patches) &&
      patches.every((patch) => typeof patch === 'string') &&
      Array.isArray(ports) &&
      ports.every(isMapping)
    if (!fits)
      throw fault(
        'has a node whose labels, kubeadmConfigPatches or extraPortMappings have another form than kind takes',
        'a mapping of labels, a list of texts, a list of mappings',
      )
  }
  return value
}

interface PortMapping {
  readonly containerPort?: number
  readonly hostPort?: number
  readonly listenAddress?: string
  readonly protocol?: string
}

function mapHostPorts(
  nodes: readonly KindNode[],
  wanted: ReadonlyMap<number, number>,
): { nodes: KindNode[]; hostPorts: Record<string, string> } {
  const hostPorts: Record<string, string> = {}
  const added: PortMapping[] = []
  const replaced = new Map<PortMapping, PortMapping>()
  const own = nodes.flatMap((node) => portMappings(node))
  for (const [nodePort, hostPort] of wanted) {
    const mapping = own.find(
      (entry) => entry.containerPort === nodePort && (entry.protocol ?? 'TCP').toUpperCase() === 'TCP',
    )
    // A port the user leaves to kind would be unknown to us, so it is chosen here.
    const port = mapping === undefined || (mapping.hostPort ?? 0) <= 0 ? hostPort : (mapping.hostPort ?? hostPort)
    const address = mapping?.listenAddress ?? '127.0.0.1'
    if (mapping === undefined) {
      added.push({ containerPort: nodePort, hostPort: port, listenAddress: '127.0.0.1', protocol: 'TCP' })
    } else {
      replaced.set(mapping, { ...mapping, hostPort: port })
    }
    hostPorts[String(nodePort)] = `${address === '0.0.0.0' ? '127.0.0.1' : address}:${port}`
  }
  const first = nodes.findIndex((node) => (node.role ?? 'control-plane') === 'control-plane')
  return {
    hostPorts,
    nodes: nodes.map((node, index) => {
      const mappings = [
        ...portMappings(node).map((entry) => replaced.get(entry) ?? entry),
        ...(index === first ? added : []),
      ]
      return mappings.length === 0 ? node : { ...node, extraPortMappings: mappings }
    }),
  }
}

function portMappings(node: KindNode): readonly PortMapping[] {
  return (node['extraPortMappings'] as readonly PortMapping[] | undefined) ?? []
}
