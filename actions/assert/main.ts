import { reportAssertions } from '../../src/action/assertion-outputs.ts'
import { jobSettings, targetCluster } from '../../src/action/job-settings.ts'
import { reportFolder } from '../../src/action/report-folder.ts'
import { runAction } from '../../src/action/run.ts'
import { proveSuites } from '../../src/pipeline/prove-suites.ts'
import { contract } from './contract.ts'

await runAction(contract, async (context) => {
  const { inputs, environment, host } = context
  const settings = await jobSettings(context)
  const target = targetCluster(inputs, environment)
  const reportDir = await reportFolder(host.paths.temp, inputs['report-dir'])
  const image = inputs['probe-image']
  const probeNamespace = inputs['probe-namespace']
  const record = await proveSuites(host, settings.assertions, {
    ...target,
    target: inputs.target,
    namespace: settings.app.namespace,
    reportDir,
    ...(image === undefined ? {} : { probeImage: image }),
    ...(probeNamespace === undefined ? {} : { probeNamespace }),
  })
  reportAssertions(context, record, reportDir)
})
