import { reportAssertions } from '../../src/action/assertion-outputs.ts'
import { jobClusterName, jobOwner, rememberCluster, toolFolders } from '../../src/action/job-cluster.ts'
import { jobSettings } from '../../src/action/job-settings.ts'
import { reportFolder } from '../../src/action/report-folder.ts'
import { runAction } from '../../src/action/run.ts'
import { runnerToolCache } from '../../src/action/runner-tool-cache.ts'
import { chooseImageSource } from '../../src/pipeline/choose-image-source.ts'
import { provePlatform } from '../../src/pipeline/prove-platform.ts'
import { requireKind } from '../../src/spec/settings.ts'
import { contract } from './contract.ts'

await runAction(contract, async (context) => {
  const { inputs, environment, host, outputs } = context
  const settings = await jobSettings(context)
  requireKind(settings)
  const toolCache = await runnerToolCache(environment.raw)
  const reportDir = await reportFolder(host.paths.temp, inputs['report-dir'])
  const remember = rememberCluster(context)
  const { cluster, app, record } = await provePlatform(host, settings, {
    clusterName: settings.cluster.name ?? jobClusterName(environment),
    imageSource: await chooseImageSource(host, settings.cluster.imageSource, settings.cluster),
    through: inputs.through,
    reportDir,
    setup: {
      owner: await jobOwner(environment),
      machine: process,
      onState: (state) => {
        remember(state)
        outputs.set('logs-path', state.logsPath)
      },
      ...(toolCache === undefined ? {} : { toolCache }),
    },
  })
  context.exportVariable('KUBECONFIG', cluster.kubeconfig)
  for (const folder of toolFolders(cluster.tools)) context.addPath(folder)
  outputs.set('kubeconfig', cluster.kubeconfig)
  outputs.set('context', cluster.context)
  outputs.set('cluster-name', cluster.name)
  outputs.set('attempts', cluster.attempts)
  if (app?.voteUrl !== undefined) outputs.set('vote-url', app.voteUrl)
  if (app?.resultUrl !== undefined) outputs.set('result-url', app.resultUrl)
  outputs.set('duration-ms', Math.round(host.timings.elapsedMs()))
  outputs.set('timings', host.timings.entries())
  if (record !== undefined) reportAssertions(context, record, reportDir)
})
