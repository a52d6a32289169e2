import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { allActions } from '../../actions/all-actions.ts'
import { recordFault } from '../support/fault-results.ts'
import { hostileText } from '../support/hostile-text.ts'
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

function hostileRun(index: number): Record<string, string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-event-'))
  const event = path.join(folder, 'event.json')
  writeFileSync(event, JSON.stringify({ pull_request: { title: nasty(index), head: { ref: nasty(index + 1) } } }))
  return {
    GITHUB_EVENT_PATH: event,
    GITHUB_REF: `refs/heads/${nasty(index)}`,
    GITHUB_HEAD_REF: nasty(index + 1),
    GITHUB_JOB: nasty(index + 2),
    GITHUB_WORKFLOW: nasty(index + 3),
    GITHUB_RUN_ID: nasty(index + 4),
    RUNNER_NAME: nasty(index + 5),
  }
}

test('nasty inputs and names of a run: each bundle refuses in one annotation, or runs, and starts nothing of theirs', async () => {
  const seen: string[] = []
  const wrong: string[] = []
  for (const [number, action] of allActions.entries()) {
    const inputs = Object.keys(action.inputs)
    for (let round = 0; round < 6; round++) {
      const index = number * 6 + round
      const name = inputs[index % inputs.length] ?? ''
      const run = await runBundle(action.name, { inputs: { [name]: nasty(index) }, env: hostileRun(index), programs })
      const told = run.commands.filter((command) => !['group', 'endgroup', 'debug'].includes(command.name))
      const held =
        run.code === 1 &&
        told.length === 1 &&
        told[0]?.name === 'error' &&
        !/unexpected/.test(run.stdout) &&
        traces(run).length === 0 &&
        Object.keys(run.variables).length === 0 &&
        run.stderr === ''
      seen.push(`${action.name} ${name}`)
      if (!held)
        wrong.push(`${action.name} ${name}=${JSON.stringify(nasty(index))}: ${run.code} ${run.stdout}${run.stderr}`)
    }
  }
  recordFault({
    section: 'input',
    fault: `${seen.length} processes of the built bundles with nasty inputs, branch, job and event`,
    expected: 'each fails with one annotation; no program started, no variable set',
    seen:
      wrong.length === 0
        ? 'each failed with one annotation; no program started, no variable set'
        : `${wrong.length} did otherwise`,
    held: wrong.length === 0,
  })
  expect(wrong).toEqual([])
}, 120_000)

test('a good run stays one, whatever branch, job, workflow and event are called', async () => {
  for (let index = 0; index < 6; index++) {
    const run = await runBundle('teardown', {
      inputs: { 'cluster-name': 'demo' },
      env: hostileRun(index * 7),
      programs: { ...programs, docker: 'process.exit(0)' },
    })
    expect(run).toMatchObject({ code: 0, stderr: '', outputs: { removed: '[]' }, variables: {}, state: {} })
    expect(run.commands.filter(({ name }) => !['group', 'endgroup', 'debug'].includes(name))).toEqual([])
    expect(traces(run)).toEqual([])
  }
}, 60_000)

test('the traces themselves can be seen', async () => {
  const run = await runBundle('teardown', { inputs: { 'cluster-name': 'demo' }, programs: { docker: trace } })
  expect(existsSync(path.join(run.folder, 'home', 'ran-docker'))).toBe(true)
})
