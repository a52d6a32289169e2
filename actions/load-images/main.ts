import { targetCluster } from '../../src/action/job-settings.ts'
import { runAction } from '../../src/action/run.ts'
import { loadImages } from '../../src/cluster/load-images.ts'
import { contract } from './contract.ts'

await runAction(contract, async ({ inputs, environment, outputs, host }) => {
  const name = inputs['cluster-name']
  const loaded = await host.timings.phase('load images', () =>
    loadImages(host, {
      ...targetCluster(inputs, environment),
      ...(name === undefined ? {} : { clusterName: name }),
      images: inputs.images ?? [],
      archives: inputs.archives ?? [],
      timeoutMs: inputs.timeout,
    }),
  )
  outputs.set('loaded', loaded)
})
