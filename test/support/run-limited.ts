import { stringify } from 'yaml'
import { type RbacOptions, rbacObjects } from '../../src/assert/rbac.ts'
import { runSuites } from '../../src/assert/run-suites.ts'
import { suiteNames } from '../../src/assert/suites.ts'
import { createKubernetes } from '../../src/kubernetes/create-kubernetes.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { type DrillCluster, redOf } from '../e2e/cluster-fixture.ts'
import { drills } from './drills.ts'
import { type Fault, faults } from './fault-table.ts'
import { accountKubeconfig, limitedRow, type MissingRight, ownNamespaceRights } from './limited-account.ts'
import { kubectl } from './plain-app.ts'
import { type Finding, mended, proveFault } from './prove-fault.ts'
import { recordingLogger } from './test-host.ts'

/** Removes an account and all it was given. */
export async function removeAccount(cluster: DrillCluster, options: RbacOptions): Promise<void> {
  const objects = rbacObjects(options).map((object) => stringify(object))
  await kubectl(cluster, ['delete', '--ignore-not-found', '--wait=false', '-f', '-'], objects.join('---\n'))
}

type LimitedPlace = { readonly namespace: string; readonly probeNamespace: string }

/** The API server's minor version from which on a right is asked for. */
const neededFrom: Readonly<Record<string, number>> = { 'create pods/exec': 35 }

/**
 * One suite as an account that lacks one verb on one resource: it is told by name, by a check that is inconclusive or, where no check is concerned, in the log; nothing is called
 * broken. A verb whose lack nothing tells is superfluous.
 */
export function runWithout(cluster: DrillCluster, missing: MissingRight, place: LimitedPlace): Promise<void> {
  const rights = { ...place, suites: [missing.suite], permissions: missing.left }
  const row = limitedRow(missing)
  return mended(row, (mend) =>
    proveFault(row, async () => {
      mend(() => removeAccount(cluster, rights))
      const objects = rbacObjects(rights).map((object) => stringify(object))
      await kubectl(cluster, ['apply', '-f', '-'], objects.join('---\n'))
      if (missing.during !== undefined) await drills[missing.during](cluster, mend)
      const stableMs = needsWatch(missing) ? watchedMs : 0
      const { record, lines } = await runAs(cluster, [missing.suite], place, place.probeNamespace, stableMs)
      return findingOf(missing, record, lines, await isNeeded(cluster, missing))
    }),
  )
}

/** As the account that `--print-rbac` does not print: it has the rights of the docs' second table, and the run makes its namespace. */
export async function runInOwnNamespace(cluster: DrillCluster, place: LimitedPlace): Promise<RunRecord> {
  const suites = suiteNames.filter((suite) => suite !== 'vote-flow')
  const permissions = ownNamespaceRights.filter((one) => one.suites.some((suite) => suites.includes(suite)))
  const rights = { ...place, suites, permissions }
  try {
    const objects = rbacObjects(rights).map((object) => stringify(object))
    await kubectl(cluster, ['apply', '-f', '-'], objects.join('---\n'))
    return (await runAs(cluster, suites, { namespace: place.namespace }, place.probeNamespace)).record
  } finally {
    await removeAccount(cluster, rights)
  }
}

async function isNeeded({ kubernetes }: DrillCluster, { verb, resource }: MissingRight): Promise<boolean> {
  const minor = neededFrom[`${verb} ${resource}`]
  if (minor === undefined) return true
  const version = JSON.parse(await kubernetes.raw('/version')) as { minor: string }
  return Number.parseInt(version.minor, 10) >= minor
}

/** Held against what must be told; what the server does not ask for yet must make no difference. */
export function findingOf(
  missing: MissingRight,
  record: Pick<RunRecord, 'checks' | 'verdict'>,
  lines: readonly string[],
  needed: boolean,
): Finding {
  const red = redOf(record)
  const reasons = Object.values(red)
  const byCheck = reasons.find((reason) => missing.reason.test(reason))
  const byLog = lines.find((line) => missing.logged.test(line))
  const planted: Fault['red'] = missing.during === undefined ? {} : faults[missing.during].red
  const isPlanted = ([id, reason]: readonly [string, string]): boolean => planted[id]?.test(reason) === true
  const verdict = (needed && byCheck !== undefined) || Object.entries(red).some(isPlanted) ? 'fail' : 'pass'
  const broken = Object.entries(red).filter((entry) => !entry[1].startsWith('inconclusive: ') && !isPlanted(entry))
  const others = broken.map(([, reason]) => reason)
  return {
    seen: others[0] ?? byCheck ?? byLog ?? reasons[0] ?? 'nothing told',
    wrong: [
      ...others,
      ...(!needed || byCheck !== undefined || byLog !== undefined
        ? []
        : [`nothing told that it may not ${missing.verb} ${missing.resource}: ${reasons.join('; ')}`]),
      ...(record.verdict === verdict
        ? []
        : [`the run: ${record.verdict} instead of ${verdict}: ${reasons.join('; ')}`]),
    ],
  }
}

/** R5 watches pods of the namespace and of the system, where they have not been as they are for long enough. */
function needsWatch({ verb, resource, place }: MissingRight): boolean {
  return verb === 'watch' && resource === 'pods' && place !== 'probes'
}

/** So long that no pod of the test is that old. What may not be watched is told at once. */
const watchedMs = 3_600_000

async function runAs(
  cluster: DrillCluster,
  suites: readonly string[],
  place: { readonly namespace: string; readonly probeNamespace?: string },
  home: string,
  stableMs = 0,
): Promise<{ record: RunRecord; lines: readonly string[] }> {
  const kubeconfig = await accountKubeconfig(cluster, home)
  const log = recordingLogger()
  // Ends the watches that a run leaves behind when one of them was refused.
  const over = new AbortController()
  const host = { ...cluster.host, log, signal: AbortSignal.any([cluster.host.signal, over.signal]) }
  try {
    const record = await runSuites(host, {
      kubernetes: await createKubernetes(host, { kubeconfig }),
      suites,
      target: suites.includes('vote-flow') ? 'voting-app' : 'generic',
      ...place,
      stableMs,
    })
    return { record, lines: log.lines }
  } finally {
    over.abort()
  }
}
