import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allActions } from '../../actions/all-actions.ts'
import type { AnyAction } from '../../src/action/define-action.ts'
import { FakeApiServer } from '../support/fake-api-server.ts'
import { recordFault } from '../support/fault-results.ts'
import { hostileText, longText, patience, plants } from '../support/hostile-text.ts'
import { type BundleRun, runBundle } from './run-bundle.ts'

/** The same every time: the generated ones are in test/unit/action. What the kernel hands over has no NUL. */
const sample = fc.sample(
  hostileText.map((text) => text.replaceAll('\0', '')).filter((text) => text.trim() !== ''),
  { seed: 20261121, numRuns: 40 },
)
const nasty = (index: number): string => sample[index % sample.length] ?? ''

/** Whatever a shell would find; each leaves a trace. */
const trace = `require('node:fs').writeFileSync(process.env.HOME + '/ran-' + require('node:path').basename(process.argv[1]), '')`
const programs = Object.fromEntries(
  ['sh', 'bash', 'touch', 'id', 'env', 'kubectl', 'helm', 'kind'].map((name) => [name, trace]),
)
const traces = (run: BundleRun): string[] =>
  readdirSync(path.join(run.folder, 'home')).filter((name) => name.startsWith('ran-'))

const server = new FakeApiServer()
let kubeconfig: string

beforeAll(async () => {
  await server.start()
  kubeconfig = path.join(mkdtempSync(path.join(tmpdir(), 'k8s-platform-hostile-')), 'kubeconfig')
  writeFileSync(kubeconfig, server.kubeconfig())
})
afterAll(() => server.stop())

function hostileRun(index: number): Record<string, string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-event-'))
  const event = path.join(folder, 'event.json')
  writeFileSync(event, JSON.stringify({ pull_request: { title: nasty(index), head: { ref: nasty(index + 1) } } }))
  return {
    GITHUB_EVENT_PATH: event,
    GITHUB_REF: `refs/heads/${nasty(index)}`,
    GITHUB_REF_NAME: plants[index % plants.length] ?? '',
    GITHUB_BASE_REF: nasty(index + 6),
    GITHUB_ACTOR: plants[(index + 7) % plants.length] ?? '',
    GITHUB_HEAD_REF: nasty(index + 1),
    GITHUB_JOB: nasty(index + 2),
    GITHUB_WORKFLOW: nasty(index + 3),
    GITHUB_RUN_ID: nasty(index + 4),
    RUNNER_NAME: nasty(index + 5),
  }
}

/** What else an action is given, so that one hostile input is all that is wrong; it goes as far as it can without a cluster. */
const baselines: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  platform: { 'cluster-name': 'demo' },
  'setup-cluster': {},
  'load-images': { images: 'shop:1' },
  deploy: { manifests: 'app.yaml', namespace: 'shop', timeout: '20s' },
  'deploy-voting-app': { images: 'build', 'helm-version': 'preinstalled', timeout: '20s' },
  assert: { target: 'generic', namespace: 'shop', suites: 'readiness', timeout: '5s', 'report-dir': 'reports' },
  teardown: { 'cluster-name': 'demo' },
}
/** Inputs that are only for a chart: with manifests they would be refused unread. */
const forCharts = ['chart', 'chart-version', 'values', 'set', 'helm-version', 'download-base-url']
const workspace = {
  'app.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n',
  'shop/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
}

interface Case {
  readonly action: AnyAction
  readonly input: string
  readonly value: string
}

/** Every input of every contract, each with some of the values, every night with six times as many. A new input is covered by being there. */
function hostileCases(): Case[] {
  const inputs = allActions.flatMap((action) => Object.keys(action.inputs).map((input) => ({ action, input })))
  return inputs.flatMap(({ action, input }, index) => {
    const definition = action.inputs[input]
    // What gets past a pattern that looks at the beginning or the end alone. A host that is not this machine would be asked.
    const near = (definition?.example ?? '').replace('mirror.example.com', '127.0.0.1:1')
    const all = [
      ...plants,
      ...plants.map((plant) => `${near}${plant}`),
      ...plants.map((plant) => `${plant}\n${near}`),
      longText,
    ]
    const tries = process.env['K8S_PLATFORM_NIGHTLY'] ? 12 : 2
    // Steps that share no factor with the number of values: in the end each meets every kind of input.
    const some = Array.from({ length: tries }, (_, at) => all[(index * 2 + at * 31) % all.length] ?? '')
    return some.map((value) => ({ action, input, value }))
  })
}

/** By code of the annotation: how far the values have come. */
const outcomes = new Map<string, number>()

async function runCase({ action, input, value }: Case, index: number): Promise<string[]> {
  const baseline = baselines[action.name]
  if (baseline === undefined) return [`${action.name} has no baseline`]
  const { manifests: _, ...withoutManifests } = baseline
  const chart = action.name === 'deploy' && forCharts.includes(input)
  const others = chart ? { ...withoutManifests, chart: 'shop', 'helm-version': 'preinstalled' } : baseline
  const given = 'kubeconfig' in action.inputs ? { kubeconfig, ...others } : others
  const helm = 'helm-version' in given ? { helm: 'console.error("no helm here"); process.exit(1)' } : {}
  const docker = action.name === 'teardown' ? 'process.exit(0)' : 'console.error("no engine here"); process.exit(1)'
  const run = await runBundle(action.name, {
    inputs: { ...given, [input]: value },
    env: hostileRun(index),
    programs: { ...programs, ...helm, docker },
    workspace,
  })
  const code = /\(([A-Z_]+), docs\/errors/.exec(run.stdout)?.[1] ?? (run.code === 0 ? 'good' : 'judged')
  outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
  return offences(action, run).map((what) => `${action.name} ${input}=${JSON.stringify(value).slice(0, 300)}: ${what}`)
}

/** All that no value may bring about. */
function offences(action: AnyAction, run: BundleRun): string[] {
  const told = run.commands.filter(({ name }) => !['group', 'endgroup', 'debug', 'notice'].includes(name))
  const errors = told.filter(({ name }) => name === 'error')
  const forged = told.filter(({ name }) => !['error', 'warning'].includes(name))
  const foreign = (found: object, known: object): string[] => Object.keys(found).filter((key) => !(key in known))
  const judged = run.outputs['verdict'] !== undefined
  return [
    ...(run.code === 0 || run.code === 1 ? [] : [`ended with ${run.code}`]),
    ...(run.code === 1 && errors.length !== 1 && !judged ? [`${errors.length} annotations`] : []),
    ...(run.code === 0 && errors.length > 0 ? ['an annotation of a good run'] : []),
    ...forged.map(({ name, message }) => `forged ${name} ${message.slice(0, 200)}`),
    ...(/^(owned|::)/m.test(told.map(({ message }) => message).join('\n')) ? ['a forged line in an annotation'] : []),
    ...(/unexpected: please|^\s+at .*:\d+:\d+\)?$/m.test(run.stdout) ? [`a crash: ${run.stdout.slice(0, 2000)}`] : []),
    ...(run.stderr === '' ? [] : [`on stderr: ${run.stderr.slice(0, 500)}`]),
    ...traces(run),
    ...(existsSync(path.join(run.folder, 'workspace', 'owned')) ? ['ran a command'] : []),
    ...foreign(run.outputs, action.outputs).map((name) => `forged output ${name}`),
    ...foreign(run.state, action.state).map((name) => `forged state ${name}`),
    ...foreign(run.variables, {}).map((name) => `forged variable ${name}`),
    ...(/<(script|img)\b|\]\(javascript:/.test(run.summary)
      ? [`markup in the summary: ${run.summary.slice(0, 500)}`]
      : []),
    ...(/[^\P{Cc}\n\t]|[\u2028\u2029\u202e\u2066]/u.test(run.summary + told.map(({ message }) => message).join(''))
      ? ['an unseen character']
      : []),
  ]
}

/** So many at once, as bundles are started by the processor alone. */
async function atOnce<T>(items: readonly T[], work: (item: T, index: number) => Promise<string[]>): Promise<string[]> {
  const found: string[] = []
  const queue = items.entries()
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) found.push(...(await work(item, index)))
  }
  await Promise.all([1, 2, 3, 4].map(worker))
  return found
}

test(
  'every input of every action, hostile: one clean error or a good run, nothing forged, nothing run',
  async () => {
    const tried = hostileCases()
    const wrong = await atOnce(tried, runCase)
    recordFault({
      section: 'input',
      fault: `${tried.length} processes of the built bundles: each input of each action hostile, branch, job and event too`,
      expected: 'one annotation or a good run; nothing forged, no program started, no variable set',
      seen:
        wrong.length === 0
          ? 'one annotation or a good run; nothing forged, no program started, no variable set'
          : `${wrong.length} did otherwise`,
      held: wrong.length === 0,
    })
    expect(wrong).toEqual([])
    // Not all are refused at the door: some are values that an action goes a long way with.
    expect(outcomes.size, JSON.stringify([...outcomes])).toBeGreaterThan(3)
    expect(tried.length - (outcomes.get('INPUT_INVALID') ?? 0), JSON.stringify([...outcomes])).toBeGreaterThan(
      tried.length / 20,
    )
    const covered = new Set(tried.map(({ action, input }) => `${action.name} ${input}`))
    expect(covered.size).toBe(allActions.reduce((sum, action) => sum + Object.keys(action.inputs).length, 0))
  },
  patience * 4,
)

test('what would be an offence is seen', async () => {
  const script = `console.error('::x'); process.stdout.write('no'); process.exit(1)`
  const run = await runBundle('teardown', { inputs: { 'cluster-name': 'demo' }, programs: { docker: script } })
  const [teardown] = allActions.filter(({ name }) => name === 'teardown')
  if (teardown === undefined) throw new Error('no teardown')
  const with_ = (change: Partial<BundleRun>): string => offences(teardown, { ...run, ...change }).join()
  expect(offences(teardown, run)).toEqual([])
  expect(with_({ commands: [{ name: 'set-output', message: 'owned' }] })).toContain('forged set-output')
  expect(with_({ commands: [...run.commands, ...run.commands] })).toContain('annotations')
  expect(with_({ commands: [{ name: 'error', message: 'a\n::warning::b' }] })).toContain('a forged line')
  expect(with_({ outputs: { forged: '1' } })).toContain('forged output')
  expect(with_({ variables: { NODE_OPTIONS: '' } })).toContain('forged variable')
  expect(with_({ stdout: 'Error: x\n    at f (a.ts:1:2)' })).toContain('a crash')
  expect(with_({ stderr: '(node:1) Warning' })).toContain('on stderr')
  expect(with_({ summary: '<script>' })).toContain('markup')
  expect(with_({ summary: '\u202e' })).toContain('unseen')
  expect(with_({ code: 7 })).toContain('ended with')
})

test(
  'a good run stays one, whatever branch, job, workflow and event are called',
  async () => {
    for (let index = 0; index < 6; index++) {
      const common = { env: hostileRun(index * 7), programs: { ...programs, docker: 'process.exit(0)' }, workspace }
      const removed = await runBundle('teardown', { ...common, inputs: { 'cluster-name': 'demo' } })
      expect(removed).toMatchObject({ code: 0, stderr: '', outputs: { removed: '[]' }, variables: {}, state: {} })
      const deployed = await runBundle('deploy', { ...common, inputs: { ...baselines['deploy'], kubeconfig } })
      expect(deployed, deployed.stdout).toMatchObject({
        code: 0,
        stderr: '',
        outputs: { release: 'app' },
        variables: {},
      })
      for (const run of [removed, deployed]) {
        expect(run.commands.filter(({ name }) => !['group', 'endgroup', 'debug'].includes(name))).toEqual([])
        expect(traces(run)).toEqual([])
      }
    }
  },
  patience,
)

test('the traces themselves can be seen', async () => {
  const run = await runBundle('teardown', { inputs: { 'cluster-name': 'demo' }, programs: { docker: trace } })
  expect(existsSync(path.join(run.folder, 'home', 'ran-docker'))).toBe(true)
})
