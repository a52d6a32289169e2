/**
 * `npm run bench`: the figures, ours beside the way most workflows do it, measured in one run on this machine. Names of benchmarks run only those. A benchmark
 * fails that cannot run, or misses a ratio or a size; seconds over their bound are told and fail nothing, as machines differ. Wants a Docker engine: `npm run up` or `k8s-platform images build --install-docker` brings one.
 */
import { createCliHost } from '../src/cli/cli-host.ts'
import type { Host } from '../src/process/host.ts'
import { benchBundleStart } from './bench/bundle-start.ts'
import { benchFourNodes } from './bench/four-nodes.ts'
import { benchNetworkPolicy } from './bench/network-policy.ts'
import { runBuiltCli, stopped } from './bench/programs.ts'
import { benchProvenVote } from './bench/proven-vote.ts'
import { benchReleaseArchive } from './bench/release-archive.ts'
import { renderBench } from './bench/render-bench.ts'
import { type BenchResult, missedAnywhere } from './bench/result.ts'
import { benchSecondUp } from './bench/second-up.ts'

const benchmarks: Readonly<Record<string, (host: Host) => Promise<BenchResult>>> = {
  'release-archive': benchReleaseArchive,
  'bundle-start': benchBundleStart,
  'four-nodes': benchFourNodes,
  'proven-vote': benchProvenVote,
  'second-up': benchSecondUp,
  'network-policy': benchNetworkPolicy,
}
/** Those that make clusters: an engine and images must be there before a clock starts. */
const onClusters = ['four-nodes', 'proven-vote', 'second-up']

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !Object.hasOwn(benchmarks, name))
if (unknown.length > 0) {
  process.stderr.write(`no benchmark ${unknown.join(', ')}; there are: ${Object.keys(benchmarks).join(', ')}\n`)
  process.exit(2)
}
const names = wanted.length === 0 ? Object.keys(benchmarks) : wanted
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => stopped.abort(new Error(`ended by ${signal}; what was made is being removed`)))
if (names.some((name) => onClusters.includes(name))) await runBuiltCli(['images', 'build'])
const host = createCliHost({ verbose: false, signal: stopped.signal })
let passed = 0
let failed = 0
const results: BenchResult[] = []
for (const name of names) {
  if (stopped.signal.aborted) break
  try {
    const result = await benchmarks[name]?.(host)
    if (result === undefined) continue
    results.push(result)
    process.stdout.write(`${renderBench([result])}\n`)
    if (missedAnywhere(result).length === 0) passed += 1
    else failed += 1
  } catch (error) {
    failed += 1
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`)
  }
}
host.dispose()
if (results.length > 1) process.stdout.write(`\nall of this run\n${renderBench(results)}\n`)
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exit(failed === 0 && !stopped.signal.aborted ? 0 : 1)
