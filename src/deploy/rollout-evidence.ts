import type { Kubernetes } from '../kubernetes/client.ts'
import { stateOf, unknownContext } from '../kubernetes/object-state.ts'
import { messageOf } from '../process/errors.ts'
import type { ClusterView } from './explain.ts'
import { type Finding, type LogSource, renderFinding } from './finding.ts'
import { type Warning, warningsOf } from './warning-events.ts'

const mostFindings = 8
const mostLogs = 3
const logLines = 20
const mostEvents = 10
const longestLine = 300

export interface Evidence {
  /** Every finding, the latest warnings about the workloads concerned, and the last log lines of the worst containers; for people. */
  readonly lines: readonly string[]
  /** The log line of the first finding's container that most likely says why. */
  readonly telling: string | undefined
}

/** What the error of a failed rollout carries. Reads logs; what cannot be read is said so. */
export async function collectEvidence(
  kubernetes: Kubernetes,
  view: ClusterView,
  findings: readonly Finding[],
): Promise<Evidence> {
  const sources = findings.flatMap((finding) => finding.log ?? []).slice(0, mostLogs)
  const logs = await Promise.all(sources.map((source) => lastLines(kubernetes, source)))
  const events = recentWarnings(view)
  const lines = [
    ...findings.slice(0, mostFindings).map(renderFinding),
    ...(findings.length > mostFindings ? [`and ${findings.length - mostFindings} more`] : []),
    ...(events.length === 0 ? [] : ['events, latest first:', ...events.map((line) => `  ${line}`)]),
    ...logs.flatMap((log) => [
      log.title,
      ...(log.lines.length === 0 ? ['(none)'] : log.lines).map((line) => `  ${line}`),
    ]),
  ]
  return { lines, telling: findings[0]?.log === undefined ? undefined : tellingLine(logs[0]?.lines ?? []) }
}

/** The last line that looks like an error, else the last one; two streams may be out of order. */
function tellingLine(lines: readonly string[]): string | undefined {
  const line = lines.findLast((text) => /\b(error|fatal|panic|exception|cannot|failed)\b/i.test(text)) ?? lines.at(-1)
  return line === undefined || line.length <= longestLine ? line : `${line.slice(0, longestLine)}…`
}

function recentWarnings(view: ClusterView): string[] {
  const unfinished = view.workloads.filter((workload) => !stateOf(workload, view.context ?? unknownContext).done)
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

interface Log {
  readonly title: string
  readonly lines: readonly string[]
}

async function lastLines(kubernetes: Kubernetes, source: LogSource): Promise<Log> {
  const { namespace, pod, container } = source
  const what = `last log lines of ${namespace}/${pod}, container ${container}`
  const read = (previous: boolean): Promise<string> =>
    kubernetes.logs({ namespace, pod, container, previous, tailLines: logLines })
  try {
    // The kubelet may have thrown the earlier container away already.
    const text = await read(source.previous).catch((error) => (source.previous ? read(false) : Promise.reject(error)))
    const lines = text.split('\n').filter((line) => line.trim() !== '')
    return { title: `${what}${source.previous ? ', before its restart' : ''}:`, lines }
  } catch (error) {
    return { title: `${what}: cannot be read: ${messageOf(error)}`, lines: [] }
  }
}
