import type { Host } from '../../src/process/host.ts'
import { runPeersWay } from './peers-run.ts'
import { runBuiltCli, withFreshCluster } from './programs.ts'
import { type BenchResult, boundedRow } from './result.ts'
import { alternately, median, medianAndSpread } from './statistics.ts'

const rounds = 3

/** Four Ready nodes: `kind create` with `kubectl wait`, against ours with its preflight, registry, network and evidence. */
export async function benchFourNodes(host: Host): Promise<BenchResult> {
  const runs = await alternately(rounds, {
    plain: async () => (await runPeersWay(host, 'nodes'))['nodes'] ?? Number.NaN,
    ours: () => withFreshCluster(upToFourNodes),
  })
  return {
    name: 'four Ready nodes',
    rows: [
      { what: `kind create and kubectl wait, ${medianAndSpread(runs.plain)}`, value: median(runs.plain), unit: 's' },
      { what: `ours, ${medianAndSpread(runs.ours)}`, value: median(runs.ours), unit: 's' },
      boundedRow('ours / plain', median(runs.ours) / median(runs.plain), 'times', 1.1),
    ],
  }
}

function upToFourNodes(cluster: readonly string[]): Promise<number> {
  const shape = ['--image-source', 'packages', '--through', 'cluster', '--wait-for', 'nodes']
  return runBuiltCli(['up', ...cluster, ...shape]).then((run) => run.durationMs / 1000)
}
