import { randomBytes } from 'node:crypto'
import type { Kubernetes } from '../kubernetes/client.ts'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { Timings } from '../process/timings.ts'
import { formatSeconds, pause } from '../process/wait.ts'
import { type CheckRecord, type NodeRecord, type RunRecord, recordSchema, type Verdict } from '../report/record.ts'
import { writeReports } from '../report/write.ts'
import { runChecks } from './engine.ts'
import type { AppUrls, SuiteEnvironment, Target } from './environment.ts'
import { condition } from './explain-pod.ts'
import { judgeRun } from './judge.ts'
import { describeOwner, removeFleet, sweepDeadRuns } from './probe-cleanup.ts'
import { defaultProbeImage, type Fleet, startFleet } from './probe-pods.ts'
import { loadProbeScript } from './probe-script.ts'
import { defaultSuites, selectChecks } from './suites.ts'

export interface RunSuitesOptions {
  readonly kubernetes: Kubernetes
  /** A client that still works once the run is cancelled, to remove the probe pods then. Default: `kubernetes`. */
  readonly cleanup?: Kubernetes
  /** Names out of `suiteNames`; empty or undefined runs every suite that fits the target. */
  readonly suites?: readonly string[]
  readonly target: Target
  readonly namespace: string
  /** Verdicts that fail the run. Default fail and inconclusive. */
  readonly failOn?: readonly Verdict[]
  /** Suites that were asked for and may nevertheless be skipped whole. */
  readonly allowSkip?: readonly string[]
  /** Deadline of everything together, milliseconds. Default 10 minutes. */
  readonly timeoutMs?: number
  /** Folder for the reports; undefined writes none. */
  readonly reportDir?: string
  readonly probeImage?: string
  /** An existing namespace for the probe pods, for accounts that may not make one. Default: one of the run's own. */
  readonly probeNamespace?: string
  readonly expected?: { readonly nodes?: number }
  readonly urls?: AppUrls
  /** How long things must have been stable (R5), milliseconds. Default 10 s, the smoke tier's. */
  readonly stableMs?: number
  /** How long observed may differ from expected before a check is red, milliseconds. Default 15 s. */
  readonly convergeMs?: number
}

const defaultTimeoutMs = 600_000
const fleetMs = 120_000
/** After its deadline a run still cleans up; only then may another run take its namespace for a dead run's. */
const graceMs = 300_000
const settleMs = 1_000

/**
 * Runs suites of checks against a cluster and judges the run. The record is the result, also when things are red: this rejects only for inputs that
 * make no sense (InputError) and for defects. Leaves nothing behind in the cluster; what a killed run left is swept by the next one.
 */
export async function runSuites(host: Host, options: RunSuitesOptions): Promise<RunRecord> {
  return host.timings.phase('assert', () => run(host, options))
}

async function run(host: Host, options: RunSuitesOptions): Promise<RunRecord> {
  const { kubernetes, target, namespace } = options
  const startedAt = host.clock.now()
  const timings = new Timings(host.clock)
  const nonce = randomBytes(5).toString('hex')
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  const requested = options.suites ?? []
  const suites = requested.length > 0 ? requested : defaultSuites(target)
  const place = {
    nonce,
    namespace: options.probeNamespace ?? `k8s-platform-probe-${nonce}`,
    ownNamespace: options.probeNamespace === undefined,
  }
  let fleet: Promise<Fleet> | undefined

  const environment: SuiteEnvironment = {
    kubernetes,
    target,
    namespace,
    nonce,
    expected: options.expected ?? {},
    stableMs: options.stableMs ?? 10_000,
    convergeMs: options.convergeMs ?? 15_000,
    ...(options.urls === undefined ? {} : { urls: options.urls }),
    fleet() {
      fleet ??= timings.phase('probe pods', async () =>
        startFleet(host, {
          kubernetes,
          timeoutMs: Math.min(fleetMs, timeoutMs),
          setup: {
            ...place,
            image: options.probeImage ?? defaultProbeImage,
            script: await loadProbeScript(host.paths.assets),
            expiresAt: new Date(startedAt.getTime() + timeoutMs + graceMs),
            activeSeconds: Math.ceil((timeoutMs + graceMs) / 1000),
            owner: await describeOwner(process.pid),
          },
        }),
      )
      return fleet
    },
  }
  const checks = selectChecks(suites, environment)
  const cleanup = options.cleanup ?? kubernetes
  const swept = sweep(host, cleanup, place, startedAt)
  let records: CheckRecord[]
  try {
    records = await runChecks(host, checks, { timeoutMs, onRecord: (record) => tell(host, record) })
  } finally {
    await timings.phase('clean up', () => Promise.all([swept, cleanUp(host, cleanup, fleet, place)]))
  }
  for (const record of records) {
    timings.add({
      name: record.id,
      startMs: record.startMs,
      durationMs: record.durationMs,
      ok: record.verdict === 'pass' || record.verdict === 'skipped',
    })
  }
  const judged = judgeRun(records, {
    requested,
    failOn: options.failOn ?? ['fail', 'inconclusive'],
    allowSkip: options.allowSkip ?? [],
    cancelled: host.signal.aborted,
  })
  const result: RunRecord = {
    schema: recordSchema,
    run: nonce,
    startedAt: startedAt.toISOString(),
    durationMs: Math.round(timings.elapsedMs()),
    target,
    namespace,
    ...(await describeCluster(kubernetes)),
    suites,
    failOn: options.failOn ?? ['fail', 'inconclusive'],
    allowSkip: options.allowSkip ?? [],
    ...judged,
    checks: records,
    timings: timings.entries(),
  }
  if (options.reportDir !== undefined) await writeReports(result, options.reportDir)
  return result
}

const marks: Readonly<Record<Verdict, string>> = { pass: '✔', fail: '✘', inconclusive: '?', skipped: '-' }

function tell(host: Host, record: CheckRecord): void {
  const line = `${marks[record.verdict]} ${record.id.padEnd(17)} ${record.reason} (${formatSeconds(record.durationMs)})`
  host.log.info(line)
}

type Place = Parameters<typeof removeFleet>[1]

/** Beside the checks: what a killed run left must not wait for the end of this one. That it may not look there says nothing about the cluster. */
async function sweep(host: Host, kubernetes: Kubernetes, place: Place, startedAt: Date): Promise<void> {
  try {
    const removed = await sweepDeadRuns(kubernetes, place, startedAt)
    if (removed.length > 0) host.log.notice(`removed what an earlier run left behind: ${removed.join(', ')}`)
  } catch (error) {
    host.log.debug(`not looked for what earlier runs left behind: ${messageOf(error)}`)
  }
}

async function cleanUp(
  host: Host,
  kubernetes: Kubernetes,
  fleet: Promise<Fleet> | undefined,
  place: Place,
): Promise<void> {
  if (fleet === undefined) return
  try {
    // When the run was cut short, they may still be on their way. After a cancellation the runner leaves us only seconds.
    await Promise.race([fleet.catch(() => {}), pause(settleMs, new AbortController().signal)])
    await removeFleet(kubernetes, place)
  } catch (error) {
    host.log.warning(`the probe pods in namespace ${place.namespace} may be left behind: ${messageOf(error)}`)
  }
}

/** For the report only: an API server that cannot be reached has already turned checks red. */
async function describeCluster(kubernetes: Kubernetes): Promise<{ serverVersion: string; nodes: NodeRecord[] }> {
  try {
    const [version, nodes] = await Promise.all([
      kubernetes.raw('/version'),
      kubernetes.list({ apiVersion: 'v1', kind: 'Node' }),
    ])
    return {
      serverVersion: (JSON.parse(version) as { gitVersion?: string }).gitVersion ?? 'unknown',
      nodes: nodes.map((node) => ({
        name: node.metadata.name,
        version: node['status']?.nodeInfo?.kubeletVersion ?? 'unknown',
        ready: condition(node, 'Ready')?.status === 'True',
      })),
    }
  } catch {
    return { serverVersion: 'unknown', nodes: [] }
  }
}
