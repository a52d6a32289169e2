import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Host } from '../../src/process/host.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { runPeersWay } from './peers-run.ts'
import { runBuiltCli, withFreshCluster } from './programs.ts'
import { type BenchResult, type BenchRow, boundedRow } from './result.ts'
import { alternately, median, medianAndSpread } from './statistics.ts'

const rounds = 3

interface Proven {
  /** Seconds from the start of the command until its vote was found in Postgres. */
  readonly vote: number
  /** Seconds until the command ended, all checks done. */
  readonly end: number
  /** Seconds of the assertion run alone. */
  readonly checks: number
}

/** From no cluster to a vote found in Postgres: the sequential way, and `up`. */
export async function benchProvenVote(host: Host): Promise<BenchResult> {
  const runs = await alternately(rounds, {
    sequential: () => runPeersWay(host, 'vote'),
    ours: () => withFreshCluster(upToVote),
  })
  const last = (name: string): number[] => runs.sequential.map((marks) => marks[name] ?? Number.NaN)
  const ours = (key: keyof Proven): number[] => runs.ours.map((run) => run[key])
  const row = (what: string, values: readonly number[]): BenchRow => ({
    what: `${what}, ${medianAndSpread(values)}`,
    value: median(values),
    unit: 's',
  })
  return {
    name: 'from nothing to a proven vote, images built',
    rows: [
      row('sequential: four nodes', last('nodes')),
      row('sequential: images pushed', last('images')),
      row('sequential: metrics-server', last('platform')),
      row('sequential: app rolled out', last('app')),
      row('sequential: the vote in Postgres', last('vote')),
      row('ours: the vote in Postgres', ours('vote')),
      row('ours: all checks green, the command ended', ours('end')),
      boundedRow('ours / sequential, to the vote', median(ours('vote')) / median(last('vote')), 'times', 0.7),
      boundedRow('ours, to the vote', median(ours('vote')), 's', 90),
      boundedRow('the assertion run alone', median(ours('checks')), 's', 20),
    ],
  }
}

async function upToVote(cluster: readonly string[]): Promise<Proven> {
  const reports = await mkdtemp(path.join(tmpdir(), 'k8s-platform-bench-'))
  const started = Date.now()
  try {
    const run = await runBuiltCli(['up', ...cluster, '--image-source', 'packages', '--report-dir', reports])
    const record = JSON.parse(await readFile(path.join(reports, 'assertions.json'), 'utf8')) as RunRecord
    const stored = record.checks.find((check) => check.id === 'R4.stored')
    if (stored?.verdict !== 'pass') throw new Error('up ended well without a stored vote')
    const voteAt = Date.parse(record.startedAt) + stored.startMs + stored.durationMs
    return { vote: (voteAt - started) / 1000, end: run.durationMs / 1000, checks: record.durationMs / 1000 }
  } finally {
    await rm(reports, { recursive: true, force: true })
  }
}
