import type { Kubernetes } from '../kubernetes/client.ts'
import { messageOf } from '../process/errors.ts'
import type { ClusterView } from './explain.ts'
import { type Finding, type LogSource, renderFinding } from './finding.ts'
import { type Warning, warningsOf } from './warning-events.ts'
import { rolloutOf } from './workload.ts'

const mostFindings = 8
const mostLogs = 3
const logLines = 20
const mostEvents = 10

/** Every finding, the latest warnings about the workloads concerned, and the last log lines of the worst containers; one line each, for people. */
export async function collectEvidence(
  kubernetes: Kubernetes,
  view: ClusterView,
  findings: readonly Finding[],
): Promise<string[]> {
  const sources = findings.flatMap((finding) => finding.log ?? []).slice(0, mostLogs)
  const logs = await Promise.all(sources.map((source) => lastLines(kubernetes, source)))
  const events = recentWarnings(view)
  return [
    ...findings.slice(0, mostFindings).map(renderFinding),
    ...(findings.length > mostFindings ? [`and ${findings.length - mostFindings} more`] : []),
    ...(events.length === 0 ? [] : ['events, latest first:', ...events.map((line) => `  ${line}`)]),
    ...logs.flat(),
  ]
}

function recentWarnings(view: ClusterView): string[] {
  const unfinished = view.workloads.filter((workload) => !rolloutOf(workload).done)
  const uids = new Set(unfinished.map((workload) => workload.metadata.uid))
  // Down the chain of owners: ReplicaSets of the workloads, pods of either.
  const objects = [...view.replicaSets, ...view.pods]
  for (const object of objects) {
    if (object.metadata.ownerReferences?.some((ref) => uids.has(ref.uid))) uids.add(object.metadata.uid)
  }
  const latest = new Map<string, Warning>()
  for (const warning of [...uids].flatMap((uid) => warningsOf(view.events, uid))) {
    // Of a controller that tries again and again the latest try tells all.
    const key = `${warning.object} ${warning.reason}`
    if ((latest.get(key)?.at ?? -1) < warning.at) latest.set(key, warning)
  }
  return [...latest.values()]
    .sort((a, b) => b.at - a.at)
    .slice(0, mostEvents)
    .map((warning) => `${warning.object}: ${warning.reason}: ${warning.message}`)
}

async function lastLines(kubernetes: Kubernetes, source: LogSource): Promise<string[]> {
  const { namespace, pod, container } = source
  const title = `last log lines of ${namespace}/${pod}, container ${container}${source.previous ? ', before its restart' : ''}:`
  const read = (previous: boolean): Promise<string> =>
    kubernetes.logs({ namespace, pod, container, previous, tailLines: logLines })
  try {
    // The kubelet may have thrown the earlier container away already.
    const text = await read(source.previous).catch((error) => (source.previous ? read(false) : Promise.reject(error)))
    const lines = text.split('\n').filter((line) => line.trim() !== '')
    return [title, ...(lines.length === 0 ? ['  (none)'] : lines.map((line) => `  ${line}`))]
  } catch (error) {
    return [title, `  (cannot be read: ${messageOf(error)})`]
  }
}
