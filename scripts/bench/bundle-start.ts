import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { repositoryRoot } from '../repository.ts'
import { runProgram } from './programs.ts'
import { type BenchResult, boundedRow } from './result.ts'
import { alternately, median, medianAndSpread } from './statistics.ts'

const rounds = 9

/** Nothing listens there, so that the first request ends the run. */
const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{ name: none, cluster: { server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true } }]
users: [{ name: none, user: { token: none } }]
contexts: [{ name: none, context: { cluster: none, user: none } }]
current-context: none
`

/** Wall time of a bundle from start to exit: one that reads its inputs and refuses them, and one that loads the Kubernetes client and finds nobody there. */
export async function benchBundleStart(): Promise<BenchResult> {
  const folder = await mkdtemp(path.join(tmpdir(), 'k8s-platform-bench-'))
  try {
    await Promise.all(
      ['kubeconfig', 'output', 'state', 'env', 'summary'].map((name) =>
        writeFile(path.join(folder, name), name === 'kubeconfig' ? kubeconfig : ''),
      ),
    )
    const env = {
      GITHUB_ACTIONS: 'true',
      RUNNER_TEMP: folder,
      GITHUB_OUTPUT: path.join(folder, 'output'),
      GITHUB_STATE: path.join(folder, 'state'),
      GITHUB_ENV: path.join(folder, 'env'),
      GITHUB_STEP_SUMMARY: path.join(folder, 'summary'),
    }
    // A bundle that cannot even be loaded would be the quickest of all.
    const bundle =
      (name: string, told: string, inputs: Readonly<Record<string, string>>) => async (): Promise<number> => {
        const file = path.join(repositoryRoot, 'dist', `${name}.js`)
        const run = await runProgram(process.execPath, [file], { env: { ...env, ...inputs }, codes: [1], quiet: true })
        if (!run.stdout.includes(told)) throw new Error(`${name} did not tell of ${told}:\n${run.stdout.slice(-2_000)}`)
        return run.durationMs
      }
    const runs = await alternately(rounds, {
      node: async () => (await runProgram(process.execPath, ['--eval', '0'])).durationMs,
      exec: bundle('setup-cluster', 'INPUT_INVALID', { INPUT_WORKERS: 'many' }),
      client: bundle('assert', '127.0.0.1:1', {
        INPUT_KUBECONFIG: path.join(folder, 'kubeconfig'),
        INPUT_SUITES: 'readiness',
        'INPUT_REPORT-DIR': path.join(folder, 'report'),
      }),
    })
    return {
      name: 'start of a bundle, process start to exit',
      rows: [
        { what: `node alone, ${medianAndSpread(runs.node)}`, value: median(runs.node), unit: 'ms' },
        boundedRow(`setup-cluster refuses its inputs, ${medianAndSpread(runs.exec)}`, median(runs.exec), 'ms', 150),
        boundedRow(`assert finds no cluster, ${medianAndSpread(runs.client)}`, median(runs.client), 'ms', 300),
      ],
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
