import { runAction } from '../../src/action/run.ts'
import { teardownCluster } from '../../src/cluster/teardown.ts'
import { contract } from './contract.ts'

await runAction(contract, async ({ inputs, outputs, host }) => {
  const name = inputs['cluster-name']
  const removed = await host.timings.phase('teardown', () =>
    teardownCluster(host, name, { keepLogs: inputs['keep-logs'] }),
  )
  host.log.info(removed.length === 0 ? `cluster ${name}: nothing was there` : `removed ${removed.join(', ')}`)
  outputs.set('removed', removed)
})
