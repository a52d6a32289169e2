import { inject } from 'vitest'
import { type RunSuitesOptions, runSuites } from '../../src/assert/run-suites.ts'
import type { Kubernetes } from '../../src/kubernetes/client.ts'
import { createKubernetes } from '../../src/kubernetes/create-kubernetes.ts'
import type { Host } from '../../src/process/host.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { testHost } from '../support/test-host.ts'

/** A cluster with the voting app to break and heal. */
export interface DrillCluster {
  readonly host: Host
  readonly kubernetes: Kubernetes
  /** Of its administrator. */
  readonly kubeconfig: string
  /** All suites against the voting app; the record, whatever the verdict. */
  readonly assert: (options?: Pick<RunSuitesOptions, 'convergeMs'>) => Promise<RunRecord>
}

/** The one that K8S_PLATFORM_E2E_KUBECONFIG names (for work on a drill), else the one that all e2e files share. */
export async function drillCluster(): Promise<DrillCluster> {
  const host = testHost()
  const kubeconfig = process.env['K8S_PLATFORM_E2E_KUBECONFIG'] ?? sharedKubeconfig()
  const kubernetes = await createKubernetes(host, { kubeconfig })
  return {
    host,
    kubernetes,
    kubeconfig,
    assert: (options) => runSuites(host, { ...options, kubernetes, target: 'voting-app', namespace: 'voting-app' }),
  }
}

function sharedKubeconfig(): string {
  const { up } = inject('shared')
  const file = /KUBECONFIG=(\S+)/.exec(up.stdout)?.[1]
  if (file === undefined) throw new Error(`up printed no KUBECONFIG:\n${up.stdout}\n${up.log.slice(-2_000)}`)
  return file
}

/** `R4.stored: reason`, the red checks only, by id. */
export function redOf(record: Pick<RunRecord, 'checks'>): Record<string, string> {
  const red = record.checks.filter((check) => check.verdict === 'fail' || check.verdict === 'inconclusive')
  return Object.fromEntries(red.map((check) => [check.id, `${check.verdict}: ${check.reason}`]))
}

/** Ids of the checks that did not look, for whatever reason. */
export function skippedIn(record: Pick<RunRecord, 'checks'>): string[] {
  return record.checks
    .filter(({ verdict }) => verdict === 'skipped')
    .map(({ id }) => id)
    .sort()
}
