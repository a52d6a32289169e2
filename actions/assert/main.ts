import { reportAssertions } from '../../src/action/assertion-outputs.ts'
import { jobSettings, targetCluster } from '../../src/action/job-settings.ts'
import { runAction } from '../../src/action/run.ts'
import { runSuites } from '../../src/assert/run-suites.ts'
import { createKubernetes } from '../../src/kubernetes/create-kubernetes.ts'
import { contract } from './contract.ts'

await runAction(contract, async (context) => {
  const { inputs, environment, host } = context
  const settings = await jobSettings(context)
  const { suites, suitesByName, failOn, allowSkip, timeoutMs } = settings.assertions
  const reportDir = inputs['report-dir'] ?? `${host.paths.temp}/k8s-platform-report`
  const image = inputs['probe-image']
  const target = targetCluster(inputs, environment)
  // Probe pods are removed also when the job is cancelled.
  const afterwards = { ...host, signal: new AbortController().signal }
  const record = await runSuites(host, {
    kubernetes: await createKubernetes(host, target),
    cleanup: await createKubernetes(afterwards, target),
    // Nobody named any: those that fit the target, and one that cannot run is reported, not an error.
    suites: suitesByName ? suites : [],
    allowSkip: suitesByName ? allowSkip : suites,
    target: inputs.target,
    namespace: settings.app.namespace,
    failOn,
    timeoutMs,
    reportDir,
    ...(image === undefined ? {} : { probeImage: image }),
  })
  reportAssertions(context, record, reportDir)
})
