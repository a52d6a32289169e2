import { jobClusterName, jobOwner, rememberCluster, toolFolders } from '../../src/action/job-cluster.ts'
import { jobSettings } from '../../src/action/job-settings.ts'
import { runAction } from '../../src/action/run.ts'
import { runnerToolCache } from '../../src/action/runner-tool-cache.ts'
import { chooseImageSource } from '../../src/pipeline/choose-image-source.ts'
import { requestOf } from '../../src/pipeline/request-of.ts'
import { requireKind } from '../../src/spec/settings.ts'
import { contract } from './contract.ts'
import { setClusterOutputs } from './outputs.ts'

await runAction(contract, async (context) => {
  const { inputs, environment, host } = context
  const settings = await jobSettings(context)
  requireKind(settings)
  const request = requestOf(settings, {
    name: settings.cluster.name ?? jobClusterName(environment),
    imageSource: await chooseImageSource(host, settings.cluster.imageSource, settings.cluster),
  })
  const toolCache = await runnerToolCache(environment.raw)
  const common = { machine: process, ...(toolCache === undefined ? {} : { toolCache }) }
  if (inputs['install-only']) {
    const { installTools } = await import('./install-tools.ts')
    const { tools, providerVersion } = await installTools(host, request, common)
    context.outputs.set('provider-version', providerVersion)
    for (const folder of toolFolders(tools)) context.addPath(folder)
    return
  }
  const { setupCluster } = await import('../../src/cluster/create-cluster.ts')
  const remember = rememberCluster(context)
  const cluster = await setupCluster(host, request, {
    ...common,
    owner: await jobOwner(environment),
    onState: (state) => {
      remember(state)
      context.outputs.set('logs-path', state.logsPath)
    },
  })
  setClusterOutputs(context, cluster)
})
