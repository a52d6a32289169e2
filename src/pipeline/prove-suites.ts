import { type EarlyStart, type RunSuitesOptions, runSuites } from '../assert/run-suites.ts'
import { isReady } from '../kubernetes/conditions.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import type { Host } from '../process/host.ts'
import { silentLogger } from '../process/log.ts'
import type { RunRecord } from '../report/record.ts'
import type { Settings } from '../spec/settings.ts'

export interface ProofOptions
  extends Pick<
    RunSuitesOptions,
    'target' | 'namespace' | 'probeImage' | 'probeNamespace' | 'urls' | 'expected' | 'onRecord'
  > {
  readonly kubeconfig: string
  readonly context?: string
  readonly reportDir: string
  /** Given where the platform is still being made: probe pods start beside it, once all nodes are Ready and all of `after` has settled well. */
  readonly early?: Pick<EarlyStart, 'begin' | 'onFleet'> & { readonly after: readonly unknown[] }
}

/** Runs the suites that the settings ask for against a cluster. */
export async function proveSuites(
  host: Host,
  { suites, suitesByName, failOn, allowSkip, timeoutMs }: Settings['assertions'],
  { kubeconfig, context, early, ...options }: ProofOptions,
): Promise<RunRecord> {
  const target = { kubeconfig, ...(context === undefined ? {} : { context }) }
  return await runSuites(host, {
    ...options,
    ...(early === undefined
      ? {}
      : {
          early: {
            ...early,
            probesReady: Promise.all([...early.after, nodesReady(host, target, timeoutMs)]),
          },
        }),
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

/** Before that, a node without a probe pod would be a finding. Says nothing: the cluster's own gate tells what it waits for. */
async function nodesReady(
  host: Host,
  target: { readonly kubeconfig: string; readonly context?: string },
  timeoutMs: number,
): Promise<void> {
  const kubernetes = await createKubernetes({ ...host, log: silentLogger }, target)
  await kubernetes.until(
    'nodes for the probe pods',
    { apiVersion: 'v1', kind: 'Node' },
    {},
    {
      timeoutMs,
      done: (nodes) => nodes.length > 0 && nodes.every((node) => isReady(node)),
      explain: (nodes) => `${nodes.length} nodes, not all of them Ready`,
    },
  )
}
