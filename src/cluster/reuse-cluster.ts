import type { Host } from '../process/host.ts'
import { publishing } from './kind.ts'
import type { Made, Making } from './making.ts'
import { startNodes } from './nodes.ts'
import { raiseLowLimits } from './raise-limits.ts'
import { withinTime } from './time-left.ts'

/** A cluster that is there already, with its nodes running and its registry being filled. */
export async function reuseCluster(host: Host, { request, supply, journal, deadline }: Making): Promise<Made> {
  const present = journal.state
  host.log.info(`cluster ${present.name} is there already, made at ${present.createdAt}; checking that it is ready`)
  const tool = await host.timings.phase('tools', () =>
    withinTime(host, deadline, 'kind', (bounded) => supply.tool(bounded, 'kind', request.providerVersion ?? '')),
  )
  // Neither the kernel's limits nor its packet filter outlive a reboot: nodes start only where both are as they were when the cluster was made.
  await raiseLowLimits(host, journal)
  await host.timings.phase('network', () =>
    withinTime(host, deadline, 'the network', (bounded) => supply.network(bounded)),
  )
  const started = await host.timings.phase('start nodes', () =>
    startNodes(host, present.name, deadline - host.clock.monotonic()),
  )
  const { registry } = present
  const published =
    registry === undefined
      ? Promise.resolve()
      : host.timings.phase('publish images', () =>
          withinTime(host, deadline, publishing, (bounded) => supply.publish(bounded, registry)),
        )
  published.catch(() => {})
  return {
    kindPath: tool.path,
    kindVersion: tool.version,
    published,
    attempts: 0,
    reused: true,
    startedAgain: started,
  }
}
