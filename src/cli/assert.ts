import path from 'node:path'
import { runSuites } from '../assert/run-suites.ts'
import { readState } from '../cluster/state.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import { InputError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { renderTableText } from '../report/table.ts'
import type { Parsed } from './arguments.ts'
import { exitCodes } from './exit-codes.ts'
import { defaultClusterName, type RunCommand, settingsOf, text } from './run-command.ts'

/** The suites against a cluster of ours by name, or any cluster by kubeconfig. */
export const assert: RunCommand = async (host, command, parsed, print) => {
  const { settings } = await settingsOf(host, command, parsed)
  const name = settings.cluster.name ?? defaultClusterName
  const target = await targetCluster(host, parsed, name)
  const { suites, suitesByName, failOn, allowSkip, timeoutMs } = settings.assertions
  const reportDir = text(parsed, 'report-dir') ?? path.join(host.paths.state, 'clusters', name, 'report')
  const record = await runSuites(host, {
    kubernetes: await createKubernetes(host, target),
    // Probe pods are removed also after Ctrl-C.
    cleanup: await createKubernetes({ ...host, signal: new AbortController().signal }, target),
    // Nobody named any: those that fit the target.
    suites: suitesByName ? suites : [],
    allowSkip: suitesByName ? allowSkip : suites,
    target: text(parsed, 'target') === 'generic' ? 'generic' : 'voting-app',
    namespace: settings.app.namespace,
    failOn,
    timeoutMs,
    reportDir,
  })
  print(renderTableText(record, { color: process.stdout.isTTY === true, width: process.stdout.columns ?? 120 }))
  print(`reports   ${reportDir}`)
  return record.verdict === 'fail' ? exitCodes.red : exitCodes.ok
}

async function targetCluster(
  host: Host,
  parsed: Parsed,
  name: string,
): Promise<{ kubeconfig: string; context?: string }> {
  const kubeconfig = text(parsed, 'kubeconfig')
  const context = text(parsed, 'context')
  if (kubeconfig !== undefined) return { kubeconfig, ...(context === undefined ? {} : { context }) }
  const state = await readState(host, name)
  if (state === undefined) {
    throw new InputError([
      {
        name: '--cluster-name',
        value: name,
        problem: 'is not a cluster of ours on this host',
        allowed: 'a name that `status` lists, or --kubeconfig FILE for any other',
      },
    ])
  }
  return { kubeconfig: state.kubeconfig, context: context ?? state.context }
}
