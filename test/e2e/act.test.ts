import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { LoadedImage } from '../../src/cluster/load-images.ts'
import { localImages } from '../../src/images/docker-image.ts'
import { type ActRun, actFolders, runAct } from '../support/act.ts'
import type { ActStep } from '../support/act-log.ts'
import { failingWorkflow, ownImage, ownNamespace, teardownWorkflow, tourWorkflow } from '../support/act-workflows.ts'
import { runCli } from '../support/cli.ts'
import { tracesOf } from '../support/cluster-traces.ts'
import { type ShippedCommit, unpackCommit } from '../support/git-archive.ts'
import { testHost } from '../support/test-host.ts'

/**
 * The actions as a workflow of a user runs them: downloaded (an unpacked `git archive` of the commit), started by a runner (act, on this host), with nothing of this
 * checkout in sight. Images come out of this machine's cache, where the runs before have put them.
 */
const root = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-act-'))
const stateFolders: string[] = []
let shipped: ShippedCommit
let failed = false

beforeAll(async () => {
  shipped = await unpackCommit(path.join(root, 'shipped'))
  if (shipped.uncommitted.length > 0)
    process.stderr.write(`act runs commit ${shipped.commit}, without:\n${shipped.uncommitted.join('\n')}\n`)
})

afterEach((context) => {
  failed ||= context.task.result?.state === 'fail'
})

afterAll(async () => {
  // What a red run has left; after a green one there is nothing.
  for (const state of stateFolders) {
    for (const name of clustersIn(state)) {
      await runCli(['down', '--cluster-name', name], { env: { K8S_PLATFORM_STATE_DIR: state } })
    }
  }
  // Logs and evidence of a failure are worth keeping.
  if (!failed) rmSync(root, { recursive: true, force: true })
})

it('is shipped with what its users need, and without what they do not', () => {
  const names = readdirSync(shipped.folder)
  expect(names).toEqual(expect.arrayContaining(['LICENSE', 'action.yml', 'charts', 'dist', 'images', 'voting-app']))
  expect(names.filter((name) => ['.ci', '.github', 'node_modules', 'test'].includes(name))).toEqual([])
  expect(filesBelow(shipped.folder).filter((file) => /_test\.go$|\.png$/.test(file))).toEqual([])
})

/** Markdown without the backslashes that keep text from being markup. */
function asShown(markdown: string): string {
  return markdown.replace(/\\(?=[^\w\s])/g, '')
}

describe('workflows-examples/quickstart.yml, as it is', () => {
  let quickstart: ActRun

  beforeAll(async () => {
    quickstart = await act('quickstart', {
      workflow: path.join(shipped.folder, 'workflows-examples', 'quickstart.yml'),
      inputs: { 'image-source': 'packages' },
      timeoutMs: 480_000,
    })
  })

  it('is green, every step of it', () => {
    expect(quickstart.code, quickstart.explanation).toBe(0)
    expect(quickstart.jobs).toEqual({ proven: 'success' })
    expect(resultsOf(quickstart)).toEqual([
      'Main cluster: success',
      'Main app: success',
      'Main proof: success',
      'Main 3: success',
      'Post cluster: success',
    ])
    expect(quickstart.steps.flatMap(({ annotations }) => annotations).filter((text) => /^error/.test(text))).toEqual([])
  })

  it('hands the cluster to later steps: outputs, KUBECONFIG, kubectl on PATH', () => {
    const { outputs } = stepOf(quickstart, 'cluster')
    expect(outputs).toMatchObject({
      'cluster-name': expect.stringMatching(/^kp-4711-proven-[0-9a-f]{6}$/),
      'kubernetes-version': expect.stringMatching(/^v?1\.34\.\d+$/),
      'provider-version': expect.stringMatching(/^v?\d+\.\d+\.\d+$/),
      registry: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      kubeconfig: expect.stringContaining(actFolders(path.join(root, 'quickstart')).runner),
    })
    const nodes = JSON.parse(outputs['nodes'] ?? '[]') as { name: string; role: string }[]
    expect(nodes.map(({ role }) => role).sort()).toEqual(['control-plane', 'worker', 'worker', 'worker'])
    // Its last step ran kubectl without being told where the cluster is.
    expect(stepOf(quickstart, '3').log).toMatch(/^kube-system +coredns-\S+ +1\/1 +Running/m)
  })

  it('deploys the app and gives its URLs', () => {
    const { outputs } = stepOf(quickstart, 'app')
    expect(outputs['vote-url']).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(outputs['result-url']).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(outputs).toMatchObject({ namespace: 'voting-app', revision: '1' })
    expect(stepOf(quickstart, '3').log).toContain(`voting at ${outputs['vote-url']}`)
  })

  it('proves it: the verdict is pass, nothing failed or could not be seen', () => {
    const { outputs, summary } = stepOf(quickstart, 'proof')
    expect(outputs).toMatchObject({ verdict: 'pass', failed: '0', inconclusive: '0' })
    expect(Number(outputs['passed'])).toBeGreaterThan(8)
    expect(summary).toContain('R4.stored')
  })

  it('writes a job summary with results and timeline for each action', () => {
    for (const id of ['cluster', 'app', 'proof']) {
      const { summary } = stepOf(quickstart, id)
      expect(asShown(summary), id).toMatch(/^## ✅ k8s-platform: /)
      expect(summary, id).toContain('```mermaid\ngantt')
    }
    expect(asShown(stepOf(quickstart, 'app').summary)).toContain('| vote-url | http://127.0.0.1:')
  })

  it('leaves nothing of it when the job has ended, and HOME untouched', async () => {
    const { home, state, runner } = actFolders(path.join(root, 'quickstart'))
    const cluster = stepOf(quickstart, 'cluster').outputs
    const app = stepOf(quickstart, 'app').outputs
    const ports = [app['vote-url'], app['result-url'], `http://${cluster['registry']}`].map(
      (url) => new URL(url ?? '').port,
    )
    expect(await tracesOf(nameOf(quickstart), ports)).toEqual([])
    expect(clustersIn(state)).toEqual([])
    expect(existsSync(cluster['kubeconfig'] ?? '')).toBe(false)
    expect(filesBelow(runner).filter((file) => !file.startsWith('tool_cache/'))).toEqual([])
    // kubectl keeps what it learns of an API; the workflow's own step ran it.
    expect(filesBelow(home).filter((file) => !file.startsWith('.kube/cache/'))).toEqual([])
    await expect(fetch(app['vote-url'] ?? '')).rejects.toThrow('fetch failed')
  })
})

describe('the action at the root', () => {
  const host = testHost()
  let tour: ActRun

  beforeAll(async () => {
    const busybox = (await localImages(host)).find(({ recipe }) => recipe === 'busybox')
    if (busybox === undefined) throw new Error('no busybox in Docker for the job to build upon')
    tour = await act('tour', { workflow: tourWorkflow(root, busybox.tag), timeoutMs: 300_000 })
  })
  afterAll(async () => {
    await host.exec.run('docker', ['rmi', ownImage], { quiet: true, allowFailure: true })
  })

  it('goes as far as it is told, and hands the cluster to later steps', () => {
    expect(tour.code, tour.explanation).toBe(0)
    expect(resultsOf(tour)).toEqual([
      'Main spec: success',
      'Main cluster: success',
      'Main 2: success',
      'Main build: success',
      'Main load: success',
      'Main own: success',
      'Main runs: success',
      'Main proof: success',
      'Post cluster: success',
    ])
    const { outputs, summary } = stepOf(tour, 'cluster')
    expect(outputs).toMatchObject({
      'cluster-name': expect.stringMatching(/^kp-4711-job-[0-9a-f]{6}$/),
      kubeconfig: expect.stringContaining(actFolders(path.join(root, 'tour')).runner),
    })
    // No app was asked for, nothing was judged.
    for (const name of ['vote-url', 'result-url', 'verdict', 'passed']) expect(outputs[name] ?? '', name).toBe('')
    expect(asShown(summary)).toMatch(/^## ✅ k8s-platform$/m)
    expect(stepOf(tour, '2').log).toMatch(/^node\/kp-4711-job-[0-9a-f]{6}-control-plane\s*$/)
  })

  it('makes a cluster for any app: an image of the job is loaded, deployed and runs', () => {
    const [image, ...others] = JSON.parse(stepOf(tour, 'load').outputs['loaded'] ?? '[]') as LoadedImage[]
    const nodes = [expect.stringMatching(/^kp-4711-job-[0-9a-f]{6}-control-plane$/)]
    expect(image).toMatchObject({ image: `docker.io/library/${ownImage}`, how: 'registry', nodes })
    expect(others).toEqual([])

    const { outputs, summary, log } = stepOf(tour, 'own')
    expect(outputs).toMatchObject({ release: 'own', namespace: ownNamespace, revision: '1', changed: 'true' })
    const made = { namespace: ownNamespace, name: 'own', change: 'create' }
    const objects = JSON.parse(outputs['objects'] ?? '[]') as unknown[]
    expect(objects).toHaveLength(2)
    for (const kind of ['Deployment', 'Service'])
      expect(objects).toContainEqual(expect.objectContaining({ ...made, kind }))
    const url = expect.stringMatching(/^http:\/\/[\d.]+:\d+$/)
    expect(JSON.parse(outputs['urls'] ?? '[]')).toEqual([expect.objectContaining({ port: 'http', url })])
    // The step before had loaded it.
    expect(log).toContain(`docker.io/library/${ownImage}: every node has it`)
    expect(asShown(summary)).toMatch(/^## ✅ k8s-platform: /)
    expect(stepOf(tour, 'runs').log.trim().split(/\r?\n/)).toEqual(['made by the job', image?.digest])
  })

  it('and any app is looked at by the checks that need nothing of ours', () => {
    const { outputs, summary, annotations } = stepOf(tour, 'proof')
    expect(outputs).toMatchObject({ verdict: 'pass', failed: '0', inconclusive: '0' })
    expect(Number(outputs['passed'])).toBeGreaterThan(8)
    expect(summary).toContain('S1.backends')
    expect(summary).not.toContain('R4.')
    expect(annotations.filter((text) => /^error/.test(text))).toEqual([])
  })

  it('leaves nothing when the job has ended', async () => {
    const { home, state } = actFolders(path.join(root, 'tour'))
    expect(await tracesOf(nameOf(tour))).toEqual([])
    expect(clustersIn(state)).toEqual([])
    expect(existsSync(stepOf(tour, 'cluster').outputs['kubeconfig'] ?? '')).toBe(false)
    expect(filesBelow(home).filter((file) => !file.startsWith('.kube/cache/'))).toEqual([])
  })
})

describe('a job that fails after setup-cluster', () => {
  it('has no cluster afterwards, and its evidence', async () => {
    const run = await act('fails', {
      workflow: failingWorkflow(root, 'fails', { workers: 1, 'wait-for': 'api' }),
      timeoutMs: 240_000,
    })
    expect(run.code, run.explanation).toBe(1)
    expect(resultsOf(run)).toEqual(['Main cluster: success', 'Main 1: failure', 'Post cluster: success'])
    expect(stepOf(run, 'cluster', 'Post').log).toMatch(/container kp-4711-job-[0-9a-f]{6}-control-plane/)
    expect(await tracesOf(nameOf(run))).toEqual([])
    const { home, state } = actFolders(path.join(root, 'fails'))
    expect(clustersIn(state)).toEqual([])
    expect(filesBelow(home)).toEqual([])
    const { outputs } = stepOf(run, 'cluster')
    expect(existsSync(outputs['kubeconfig'] ?? '')).toBe(false)
    expect(filesBelow(outputs['logs-path'] ?? '').length, outputs['logs-path']).toBeGreaterThan(3)
  })

  it('keeps it with cleanup: never, until the teardown action removes it', async () => {
    const kept = await act('kept', {
      workflow: failingWorkflow(root, 'kept', { workers: 0, 'wait-for': 'nodes', cleanup: 'never', logs: 'never' }),
      timeoutMs: 240_000,
    })
    expect(kept.code, kept.explanation).toBe(1)
    expect(resultsOf(kept)).toEqual(['Main cluster: success', 'Main 1: failure', 'Post cluster: success'])
    const name = nameOf(kept)
    const { state } = actFolders(path.join(root, 'kept'))
    expect(clustersIn(state)).toEqual([name])
    const status = await runCli(['status', '--cluster-name', name], { env: { K8S_PLATFORM_STATE_DIR: state } })
    expect(status.stdout, status.log).toMatch(/: Ready/)

    const teardown = await act('teardown', { workflow: teardownWorkflow(root, name), state, timeoutMs: 120_000 })
    expect(teardown.code, teardown.explanation).toBe(0)
    const removed = JSON.parse(stepOf(teardown, 'first').outputs['removed'] ?? '[]') as string[]
    expect(removed).toEqual(expect.arrayContaining([`container ${name}-control-plane`, `container ${name}-registry`]))
    expect(stepOf(teardown, 'again').outputs['removed']).toBe('[]')
    expect(await tracesOf(name)).toEqual([])
    expect(clustersIn(state)).toEqual([])
  })
})

function act(
  name: string,
  options: { workflow: string; inputs?: Record<string, string>; state?: string; timeoutMs: number },
): Promise<ActRun> {
  const folder = path.join(root, name)
  stateFolders.push(actFolders(folder).state)
  return runAct({ ...options, event: 'workflow_dispatch', actions: shipped.folder, folder, runId: '4711' })
}

function stepOf(run: ActRun, id: string, stage: ActStep['stage'] = 'Main'): ActStep {
  const step = run.steps.find((candidate) => candidate.id === id && candidate.stage === stage)
  if (step === undefined) throw new Error(`there was no ${stage} step ${id}; the log: ${run.logFile}`)
  return step
}

/** Given by the step, so that an empty name never makes "nothing is left" true. */
function nameOf(run: ActRun): string {
  const name = stepOf(run, 'cluster').outputs['cluster-name']
  if (name === undefined) throw new Error(`there was no cluster: ${run.logFile}`)
  return name
}

function resultsOf(run: ActRun): string[] {
  return run.steps.map(({ id, stage, result }) => `${stage} ${id}: ${result}`)
}

/** Clusters that have a record, by name. */
function clustersIn(state: string): string[] {
  return filesBelow(state)
    .filter((file) => /^[^/]+\.json$/.test(file))
    .map((file) => file.replace(/\.json$/, ''))
}

/** Relative; empty when the folder does not exist. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
}
