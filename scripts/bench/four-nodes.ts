import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
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

async function upToFourNodes(cluster: readonly string[]): Promise<number> {
  const folder = await mkdtemp(path.join(tmpdir(), 'k8s-platform-bench-'))
  try {
    const spec = path.join(folder, 'platform.yaml')
    await writeFile(spec, 'apiVersion: k8s-platform/v1\ncluster:\n  waitFor: [nodes]\n')
    const shape = ['--spec', spec, '--image-source', 'packages', '--through', 'cluster']
    const run = await runBuiltCli(['up', ...cluster, ...shape])
    return run.durationMs / 1000
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
