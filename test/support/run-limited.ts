import { expect } from 'vitest'
import { stringify } from 'yaml'
import { type RbacOptions, rbacObjects } from '../../src/assert/rbac.ts'
import { runSuites } from '../../src/assert/run-suites.ts'
import { createKubernetes } from '../../src/kubernetes/create-kubernetes.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { type DrillCluster, redOf } from '../e2e/cluster-fixture.ts'
import { recordFault } from './fault-results.ts'
import { accountKubeconfig, type MissingRight } from './limited-account.ts'
import { kubectl } from './plain-app.ts'

/** Removes an account and all it was given. */
export async function removeAccount(cluster: DrillCluster, options: RbacOptions): Promise<void> {
  const objects = rbacObjects(options).map((object) => stringify(object))
  await kubectl(cluster, ['delete', '--ignore-not-found', '--wait=false', '-f', '-'], objects.join('---\n'))
}

/** One suite as an account that lacks one right: what it could not see is inconclusive and says which right, and nothing is called broken. */
export async function runWithout(
  cluster: DrillCluster,
  missing: MissingRight,
  place: { readonly namespace: string; readonly probeNamespace: string },
): Promise<void> {
  const rights = { ...place, suites: [missing.suite], permissions: missing.left }
  try {
    const objects = rbacObjects(rights).map((object) => stringify(object))
    await kubectl(cluster, ['apply', '-f', '-'], objects.join('---\n'))
    const record = await runAs(cluster, missing.suite, place)
    const red = redOf(record)
    const reasons = Object.values(red)
    const told = reasons.some((reason) => missing.reason.test(reason))
    const onlyUs = reasons.every((reason) => reason.startsWith('inconclusive: '))
    recordFault({
      section: 'assertions',
      fault: `an account without: ${missing.title}`,
      expected: `${missing.suite}: inconclusive, naming it; nothing red`,
      seen: reasons.find((reason) => !reason.startsWith('inconclusive: ')) ?? reasons[0] ?? 'nothing',
      held: told && onlyUs && record.verdict === 'fail',
    })
    expect(told && onlyUs, JSON.stringify(red, null, 2)).toBe(true)
    expect(record.verdict).toBe('fail')
  } finally {
    await removeAccount(cluster, rights)
  }
}

async function runAs(
  cluster: DrillCluster,
  suite: string,
  place: { readonly namespace: string; readonly probeNamespace: string },
): Promise<RunRecord> {
  const kubeconfig = await accountKubeconfig(cluster, place.probeNamespace)
  return runSuites(cluster.host, {
    kubernetes: await createKubernetes(cluster.host, { kubeconfig }),
    suites: [suite],
    target: suite === 'vote-flow' ? 'voting-app' : 'generic',
    ...place,
    stableMs: 0,
  })
}
