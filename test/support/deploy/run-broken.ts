import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { deploy } from '../../../src/deploy/deploy.ts'
import { deployRequest } from '../../../src/deploy/deploy-request.ts'
import { messageOf } from '../../../src/process/errors.ts'
import type { DrillCluster } from '../../e2e/cluster-fixture.ts'
import { type FaultRow, mended, proveFault } from '../prove-fault.ts'
import { type BrokenApp, type BrokenName, brokenApps, brokenMs } from './broken-apps.ts'

/** Deploys one broken app into a namespace of its own and compares what is said; leaves nothing, and does not wait for its end. */
export async function runBroken(cluster: DrillCluster, name: BrokenName): Promise<void> {
  const app: BrokenApp = brokenApps[name]
  const namespace = `kp-broken-${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`.slice(0, 63)
  const { host, kubernetes, kubeconfig } = cluster
  const folder = path.join(host.paths.temp, namespace)
  mkdirSync(folder, { recursive: true })
  const own = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: app.labels ?? {} } }
  writeFileSync(
    path.join(folder, 'broken.json'),
    [own, ...app.objects].map((entry) => JSON.stringify(entry)).join('\n---\n'),
  )
  const inputs = { createNamespace: true, prune: false, forceConflicts: false, dryRun: false, timeoutMs: brokenMs }
  const unneeded = (): never => {
    throw new Error('not needed for manifests')
  }
  const tools = { cluster: async () => ({ kubeconfig }), helm: unneeded, kubectl: unneeded, loadImages: unneeded }
  const row = brokenRow(name)
  await mended(row, (mend) =>
    proveFault(row, async () => {
      mend(() => kubernetes.delete({ apiVersion: 'v1', kind: 'Namespace', name: namespace }))
      const request = deployRequest(host, { ...inputs, manifests: [folder], namespace })
      const seen = await deploy(host, request, tools).then(() => 'was deployed', messageOf)
      const told = seen.replace(`${request.release} `, '')
      return { seen: told, wrong: whole(app).test(told) ? [] : [`${told} instead of ${whole(app)}`] }
    }),
  )
}

/** The whole message, but for the release's name before it. */
export function whole({ early, says }: BrokenApp): RegExp {
  const start = early ? 'will not become ready \\(given up after \\d+(\\.\\d)? s\\)' : 'not ready after \\d+ s'
  return new RegExp(`^${start}: (?:${says.source})`)
}

/** For people. */
function expectation(app: BrokenApp): string {
  return `${app.early ? 'given up early' : 'at the deadline'}: \`${app.says.source}\``
}

export function brokenRow(name: BrokenName): FaultRow {
  return { section: 'deployments', fault: name, expected: expectation(brokenApps[name]) }
}

/** All at once, each result to be awaited by its own test: most of a drill is waiting. */
export function startBroken(cluster: DrillCluster, names: readonly BrokenName[]): Map<BrokenName, Promise<void>> {
  return new Map(
    names.map((name) => {
      const run = runBroken(cluster, name)
      // Its test tells.
      run.catch(() => {})
      return [name, run]
    }),
  )
}

/** Waits until the namespaces of all drills are gone. */
export async function brokenGone(cluster: DrillCluster): Promise<void> {
  const left = (seen: readonly { metadata: { name: string } }[]): string[] =>
    seen.map(({ metadata }) => metadata.name).filter((name) => name.startsWith('kp-broken-'))
  await cluster.kubernetes.until(
    'end of the drills',
    { apiVersion: 'v1', kind: 'Namespace' },
    {},
    {
      timeoutMs: 120_000,
      done: (seen) => left(seen).length === 0,
      explain: (seen) => left(seen).join(', '),
    },
  )
}
