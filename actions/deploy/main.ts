import {
  helmChoiceOf,
  imageSourceOf,
  jobSettings,
  type TargetCluster,
  targetCluster,
} from '../../src/action/job-settings.ts'
import { runAction } from '../../src/action/run.ts'
import type { ImageSource } from '../../src/cluster/provider.ts'
import { deploy } from '../../src/deploy/deploy.ts'
import { renderDeployment, summarizeObjects } from '../../src/deploy/deploy-report.ts'
import { deployRequest, deployTools } from '../../src/deploy/deploy-request.ts'
import { contract } from './contract.ts'

await runAction(contract, async (context) => {
  const { inputs, environment, host, outputs, summary } = context
  const settings = await jobSettings({ ...context, inputs: { spec: undefined, profile: undefined } })
  const request = deployRequest(host, {
    ...inputs,
    chartVersion: inputs['chart-version'],
    createNamespace: inputs['create-namespace'],
    forceConflicts: inputs['force-conflicts'],
    dryRun: inputs['dry-run'],
    timeoutMs: inputs.timeout,
    // The runner starts every action in the workspace.
    root: '.',
  })
  const cluster = async (): Promise<TargetCluster> => targetCluster(inputs, environment)
  const source = async (): Promise<ImageSource> => imageSourceOf(host, settings, await cluster())
  const tools = deployTools(cluster, source, helmChoiceOf(settings, inputs['helm-version']))
  const done = await deploy(host, request, tools)
  outputs.set('urls', done.urls)
  outputs.set('revision', done.revision)
  outputs.set('changed', done.changed)
  outputs.set('objects', summarizeObjects(done))
  outputs.set('namespace', done.namespace)
  outputs.set('release', done.release)
  summary.addSection(renderDeployment(done))
})
