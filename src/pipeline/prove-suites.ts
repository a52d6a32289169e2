import { type RunSuitesOptions, runSuites } from '../assert/run-suites.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import type { Host } from '../process/host.ts'
import type { RunRecord } from '../report/record.ts'
import type { Settings } from '../spec/settings.ts'

export interface ProofOptions
  extends Pick<RunSuitesOptions, 'target' | 'namespace' | 'probeImage' | 'probeNamespace' | 'urls' | 'expected'> {
  readonly kubeconfig: string
  readonly context?: string
  readonly reportDir: string
}

/** Runs the suites that the settings ask for against a cluster. */
export async function proveSuites(
  host: Host,
  { suites, suitesByName, failOn, allowSkip, timeoutMs }: Settings['assertions'],
  { kubeconfig, context, ...options }: ProofOptions,
): Promise<RunRecord> {
  const target = { kubeconfig, ...(context === undefined ? {} : { context }) }
  return await runSuites(host, {
    ...options,
    kubernetes: await createKubernetes(host, target),
    // Probe pods are removed also when the run is cancelled.
    cleanup: await createKubernetes({ ...host, signal: new AbortController().signal }, target),
    // Nobody named any: those that fit the target, and one that cannot run is reported, not an error.
    suites: suitesByName ? suites : [],
    allowSkip: suitesByName ? allowSkip : suites,
    failOn,
    timeoutMs,
  })
}
