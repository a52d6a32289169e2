import { helmChoiceOf, imageSourceOf, jobSettings, targetCluster } from '../../src/action/job-settings.ts'
import { runAction } from '../../src/action/run.ts'
import { deploy } from '../../src/deploy/deploy.ts'
import { renderDeployment, summarizeObjects } from '../../src/deploy/deploy-report.ts'
import { deployRequest, deployTools } from '../../src/deploy/deploy-request.ts'
import { contract } from './contract.ts'

await runAction(contract, async (context) => {
  const { inputs, environment, host, outputs, summary } = context
  const target = targetCluster(inputs, environment)
  const settings = await jobSettings({ ...context, inputs: { spec: undefined, profile: undefined } })
  const request = deployRequest(host, {
    ...inputs,
    ...target,
    chartVersion: inputs['chart-version'],
    createNamespace: inputs['create-namespace'],
    forceConflicts: inputs['force-conflicts'],
    dryRun: inputs['dry-run'],
    timeoutMs: inputs.timeout,
    // The runner starts every action in the workspace.
    root: '.',
  })
  const done = await deploy(
    host,
    request,
    deployTools(() => imageSourceOf(host, settings, target), helmChoiceOf(settings, inputs['helm-version'])),
  )
  outputs.set('urls', done.urls)
  outputs.set('revision', done.revision)
  outputs.set('changed', done.changed)
  outputs.set('objects', summarizeObjects(done))
  outputs.set('namespace', done.namespace)
  outputs.set('release', done.release)
  summary.addSection(renderDeployment(done))
})
