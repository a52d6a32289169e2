import type { Kubernetes } from '../kubernetes/client.ts'
import { isReady } from '../kubernetes/conditions.ts'
import type { Host } from '../process/host.ts'
import { Timings } from '../process/timings.ts'
import { formatSeconds } from '../process/wait.ts'
import { type CheckRecord, type NodeRecord, type RunRecord, recordSchema, type Verdict } from '../report/record.ts'
import { writeReports } from '../report/write.ts'
import { InconclusiveError, runChecks } from './engine.ts'
import type { AppUrls, SuiteEnvironment, Target } from './environment.ts'
import { failOnOf, judgeRun } from './judge.ts'
import type { Fleet } from './probe-pods.ts'
import { type ProbeSession, startProbeSession } from './probe-session.ts'
import { defaultSuites, selectChecks } from './suites.ts'

export interface RunSuitesOptions {
  readonly kubernetes: Kubernetes
  /** A client that still works once the run is cancelled, to remove the probe pods then. Default: `kubernetes`. */
  readonly cleanup?: Kubernetes
  /** Names out of `suiteNames`; empty or undefined runs every suite that fits the target. */
  readonly suites?: readonly string[]
  readonly target: Target
  readonly namespace: string
  /** Verdicts that fail the run; `fail` always does. Default fail and inconclusive. */
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
  /** Given where the platform is still being made. */
  readonly early?: EarlyStart
  /** Probes are asked only after it; default is at once. */
  readonly mayProbe?: Promise<unknown>
  /** Is told of each check as it ends. */
  readonly onRecord?: (record: CheckRecord) => void
}

/** A run that prepares itself while what it is to prove is being made. */
export interface EarlyStart {
  /** Every node is Ready and the probe image can be pulled: the probe pods start. */
  readonly probesReady: Promise<unknown>
  /** The checks and their clock start, with what is known only then. Its rejection is the run's, once the pods are gone. */
  readonly begin: Promise<Pick<RunSuitesOptions, 'urls' | 'expected' | 'mayProbe'>>
  /** Is given the probe pods as soon as they answer, or why there are none. */
  readonly onFleet?: (fleet: Promise<Fleet>) => void
}

const defaultTimeoutMs = 600_000
const fleetMs = 120_000
/** After its deadline a run still cleans up; only then may another run take its namespace for a dead run's. */
const graceMs = 300_000
/** So long may the platform take while probe pods wait for it. */
const earlyMs = 1_800_000

/**
 * Runs suites of checks against a cluster and judges the run. The record is the result, also when things are red: this rejects only for inputs that
 * make no sense (InputError) and for defects. Leaves nothing behind in the cluster; what a killed run left is swept by the next one.
 */
export async function runSuites(host: Host, options: RunSuitesOptions): Promise<RunRecord> {
  const { early, kubernetes } = options
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  const session = startProbeSession(host, {
    kubernetes,
    cleanup: options.cleanup ?? kubernetes,
    lifeMs: timeoutMs + graceMs + (early === undefined ? 0 : earlyMs),
    startMs: Math.min(fleetMs, timeoutMs),
    namespace: options.probeNamespace,
    image: options.probeImage,
  })
  try {
    if (early !== undefined) {
      const fleet = needsProbes(options) ? session.prepare(early.probesReady) : noProbes()
      // Checks ask for themselves.
      fleet.catch(() => {})
      early.onFleet?.(fleet)
    }
    const late = await early?.begin
    return await host.timings.phase('assert', () => run(host, { ...options, ...late }, session))
  } finally {
    await session.end()
  }
}

/** Those that look from inside of the cluster, always. */
const suitesWithProbes: readonly string[] = ['readiness', 'dns', 'service-routing']

function needsProbes(options: RunSuitesOptions): boolean {
  return suitesOf(options).some((suite) => suitesWithProbes.includes(suite))
}

function noProbes(): Promise<never> {
  return Promise.reject(new InconclusiveError('none of the suites needs probe pods'))
}

function suitesOf({ suites = [], target }: RunSuitesOptions): readonly string[] {
  return suites.length > 0 ? suites : defaultSuites(target)
}

async function run(host: Host, options: RunSuitesOptions, session: ProbeSession): Promise<RunRecord> {
  const { kubernetes, target, namespace } = options
  const startedAt = host.clock.now()
  const timings = new Timings(host.clock)
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  const requested = options.suites ?? []
  const suites = suitesOf(options)
  const environment: SuiteEnvironment = {
    kubernetes,
    target,
    namespace,
    nonce: session.nonce,
    expected: options.expected ?? {},
    stableMs: options.stableMs ?? 10_000,
    convergeMs: options.convergeMs ?? 15_000,
    ...(options.urls === undefined ? {} : { urls: options.urls }),
    fleet: once(() =>
      timings.phase('probe pods', async () => {
        await options.mayProbe
        return await session.fleet()
      }),
    ),
  }
  const checks = selectChecks(suites, environment)
  let records: CheckRecord[]
  try {
    const onRecord = (record: CheckRecord): void => {
      tell(host, record)
      options.onRecord?.(record)
    }
    records = await runChecks(host, checks, { timeoutMs, onRecord })
  } finally {
    await timings.phase('clean up', () => session.end())
  }
  for (const record of records) {
    timings.add({
      name: record.id,
      startMs: record.startMs,
      durationMs: record.durationMs,
      ok: record.verdict === 'pass' || record.verdict === 'skipped',
    })
  }
  const failOn = failOnOf(options.failOn)
  const judged = judgeRun(records, {
    requested,
    failOn,
    allowSkip: options.allowSkip ?? [],
    cancelled: host.signal.aborted,
  })
  const result: RunRecord = {
    schema: recordSchema,
    run: session.nonce,
    startedAt: startedAt.toISOString(),
    durationMs: Math.round(timings.elapsedMs()),
    target,
    namespace,
    ...(await describeCluster(kubernetes)),
    suites,
    failOn,
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

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
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
        ready: isReady(node),
      })),
    }
  } catch {
    return { serverVersion: 'unknown', nodes: [] }
  }
}
