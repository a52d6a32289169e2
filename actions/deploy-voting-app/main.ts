import { helmChoiceOf, imageSourceOf, jobSettings, targetCluster } from '../../src/action/job-settings.ts'
import { runAction } from '../../src/action/run.ts'
import { deployVotingApp } from '../../src/voting-app/deploy.ts'
import { contract } from './contract.ts'

await runAction(contract, async (context) => {
  const { inputs, environment, host, outputs } = context
  const settings = await jobSettings(context)
  const target = targetCluster(inputs, environment)
  const imageSource = await imageSourceOf(host, settings, target)
  const { namespace, images, values, timeoutMs } = settings.app
  const app = await host.timings.phase('deploy', () =>
    deployVotingApp(host, {
      ...target,
      namespace,
      images,
      imageSource,
      timeoutMs,
      helmChoice: helmChoiceOf(settings, inputs['helm-version']),
      ...(values === undefined ? {} : { valuesFile: values }),
    }),
  )
  outputs.set('vote-url', app.voteUrl ?? '')
  outputs.set('result-url', app.resultUrl ?? '')
  outputs.set('namespace', app.namespace)
  outputs.set('revision', app.revision)
})
