import { requestKey } from '../cluster/initial-state.ts'
import { isLeftover } from '../cluster/leftovers.ts'
import type { ClusterRequest } from '../cluster/provider.ts'
import { type ClusterState, listStates, readState } from '../cluster/state.ts'
import { reaches } from '../pipeline/stages.ts'
import type { Host } from '../process/host.ts'
import { formatSeconds } from '../process/wait.ts'
import { requireKind } from '../spec/settings.ts'
import { supportedArchitecture } from '../tools/platform.ts'
import { exitCodes } from './exit-codes.ts'
import { type RunCommand, settingsOf, settledRequest, throughOf, versionFor } from './run-command.ts'

/** What `up` would do with this spec and these flags, on this host, now. Changes nothing; exit code 1 where `up` would refuse because of what is there. */
export const plan: RunCommand = async (host, command, parsed, print) => {
  const { settings } = await settingsOf(host, command, parsed)
  requireKind(settings)
  const through = throughOf(parsed)
  const request = await settledRequest(host, settings)
  const version = await versionFor(host, request, supportedArchitecture(process))
  const step = await clusterStep(host, request, version)
  const verb = step.verb.padEnd(8)
  const nodes = request.nodes.map((node) => `${node.role}${node.zone === undefined ? '' : ` in ${node.zone}`}`)
  const counts = [...new Set(nodes)].map((kind) => `${nodes.filter((node) => node === kind).length} ${kind}`)
  const lines = [
    ...(await leftovers(host, request.name)),
    `${verb}cluster ${request.name}: ${request.provider ?? 'kind'}, ${counts.join(', ')}${step.why}`,
    `        Kubernetes ${version}, images from ${request.imageSource}, ready within ${formatSeconds(request.timeoutMs)}`,
    ...(request.registry || request.imageSource === 'packages'
      ? [`${verb}local registry ${request.name}-registry`]
      : []),
    ...(reaches(through, 'platform') ? settings.components.map((component) => `apply   component ${component}`) : []),
    ...(reaches(through, 'app')
      ? [`apply   voting app in namespace ${settings.app.namespace}, images: ${settings.app.images}`]
      : []),
    ...(reaches(through, 'assert')
      ? [`prove   ${settings.assertions.suites.join(', ')}; red on ${settings.assertions.failOn.join(', ')}`]
      : []),
  ]
  if (step.verb === 'refuse') {
    print(`refuse  cluster ${request.name}${step.why}`)
    return exitCodes.failed
  }
  for (const line of lines) print(line)
  return exitCodes.ok
}

interface ClusterStep {
  readonly verb: 'create' | 'keep' | 'replace' | 'refuse'
  /** Follows the description of the cluster. */
  readonly why: string
}

/** What {@link claimCluster} would decide. */
async function clusterStep(host: Host, request: ClusterRequest, version: string): Promise<ClusterStep> {
  const present = await readState(host, request.name)
  if (present === undefined) return { verb: 'create', why: '' }
  if (await isReplaced(present)) return { verb: 'replace', why: `; what is there is ${present.phase}` }
  if (present.phase !== 'ready') return { verb: 'refuse', why: ` exists already and is ${present.phase}` }
  if (present.requestKey === (await requestKey(request, version)))
    return { verb: 'keep', why: ', made from this request' }
  return {
    verb: 'refuse',
    why: ` exists already and was made from other settings; take it down first: k8s-platform down --cluster-name ${request.name}`,
  }
}

async function isReplaced(present: ClusterState): Promise<boolean> {
  return (present.phase === 'failed' && present.owner.kind === 'person') || (await isLeftover(present))
}

/** Clusters of runs that are over, which `up` clears away first. */
async function leftovers(host: Host, name: string): Promise<string[]> {
  const lines: string[] = []
  for (const state of await listStates(host)) {
    if (state.name !== name && (await isLeftover(state)))
      lines.push(`remove  cluster ${state.name}, left behind by a run that is over`)
  }
  return lines
}
