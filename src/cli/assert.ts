import path from 'node:path'
import { defaultProbeNamespace, renderRbac } from '../assert/rbac.ts'
import { defaultSuites } from '../assert/suites.ts'
import { readState } from '../cluster/state.ts'
import { nameProblem, namespacePattern } from '../kubernetes/names.ts'
import { proveSuites } from '../pipeline/prove-suites.ts'
import { InputError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { renderTableText } from '../report/table.ts'
import type { Parsed } from './arguments.ts'
import { exitCodes } from './exit-codes.ts'
import { defaultClusterName, type RunCommand, settingsOf, text } from './run-command.ts'

/** The suites against a cluster of ours by name, or any cluster by kubeconfig. */
export const assert: RunCommand = async (host, command, parsed, print) => {
  const { settings } = await settingsOf(host, command, parsed)
  const probeNamespace = text(parsed, 'probe-namespace')
  const probeImage = text(parsed, 'probe-image')
  const problems = nameProblem('--probe-namespace', probeNamespace, namespacePattern)
  if (problems.length > 0) throw new InputError(problems)
  const app = text(parsed, 'target') === 'generic' ? 'generic' : 'voting-app'
  if (parsed.flags['print-rbac'] === true) {
    const { suites, suitesByName } = settings.assertions
    print(
      renderRbac({
        suites: suitesByName ? suites : defaultSuites(app),
        namespace: settings.app.namespace,
        probeNamespace: probeNamespace ?? defaultProbeNamespace,
      }),
    )
    return exitCodes.ok
  }
  const name = settings.cluster.name ?? defaultClusterName
  const target = await targetCluster(host, parsed, name)
  const reportDir = text(parsed, 'report-dir') ?? path.join(host.paths.state, 'clusters', name, 'report')
  const record = await proveSuites(host, settings.assertions, {
    ...target,
    target: app,
    namespace: settings.app.namespace,
    reportDir,
    ...(probeImage === undefined ? {} : { probeImage }),
    ...(probeNamespace === undefined ? {} : { probeNamespace }),
  })
  print(renderTableText(record, { color: process.stdout.isTTY === true, width: process.stdout.columns ?? 120 }))
  print(`reports   ${reportDir}`)
  return record.verdict === 'fail' ? exitCodes.red : exitCodes.ok
}

/** A cluster of ours by name, or any by its kubeconfig. @throws InputError when there is none of that name. */
export async function targetCluster(
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
