import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { linuxProcessTable } from '../../src/cluster/owner.ts'
import { endJobs, type RunnerJob, type RunningJob, startJob } from '../support/runner.ts'

/** The stand-in for GitHub's runner behaves as its source says; without these tests the life-cycle drills would prove nothing. */
let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-runner-'))
})
afterEach(async () => {
  await endJobs()
  rmSync(folder, { recursive: true, force: true })
})

const node = (script: string): readonly string[] => [process.execPath, '--input-type=module', '--eval', script]
const forever = 'setInterval(() => {}, 60_000)'
const start = (steps: RunnerJob['steps']): RunningJob => startJob({ folder, name: 'job', runId: '1', steps })

it('runs post steps in reverse, each with the state that its main left, and empties RUNNER_TEMP', async () => {
  const job = start([
    { id: 'first', uses: 'setup-cluster', with: { 'cluster-nmae': 'x' } },
    { id: 'never', run: node('throw new Error("not reached")') },
  ])
  const run = await job.done
  expect(run.result).toBe('failure')
  expect(run.steps.map(({ stage, id, outcome }) => `${stage} ${id} ${outcome}`)).toEqual([
    'Main first failure',
    'Post first success',
  ])
  const both = await start([
    { id: 'one', uses: 'teardown', with: { 'cluster-name': '-' } },
    { id: 'two', run: node('') },
  ]).done
  // teardown has no post step.
  expect(both.steps.map(({ stage, id }) => `${stage} ${id}`)).toEqual(['Main one'])
  expect(readdirSync(path.join(folder, 'temp'))).toEqual([])
})

it('hands variables and folders of a step to those after it, of a background step once it was waited for', async () => {
  const set = `import fs from 'node:fs'
    fs.appendFileSync(process.env.GITHUB_ENV, 'MINE=1\\n'); fs.appendFileSync(process.env.GITHUB_PATH, '/mine\\n')
    fs.writeFileSync(process.env.RUNNER_TEMP + '/set', '')`
  const show = node('console.log(process.env.MINE, process.env.PATH.split(":")[0])')
  const wait = `import fs from 'node:fs'
    const look = setInterval(() => fs.existsSync(process.env.RUNNER_TEMP + '/set') && (clearInterval(look), console.log(process.env.MINE)), 10)`
  const { steps } = await start([
    { id: 'set', run: node(set), background: true },
    { id: 'before', run: node(wait) },
    { wait: ['set'] },
    { id: 'after', run: show },
  ]).done
  const said = Object.fromEntries(steps.map(({ id, stdout }) => [id, stdout.trim()]))
  expect(said).toMatchObject({ before: 'undefined', after: '1 /mine' })
})

it('runs two background steps at once, fails the job for one that fails, and not for one that `cancel` ended', async () => {
  const meet = (own: string, other: string): readonly string[] =>
    node(`import fs from 'node:fs'
      fs.writeFileSync(process.env.RUNNER_TEMP + '/${own}', '')
      const look = setInterval(() => fs.existsSync(process.env.RUNNER_TEMP + '/${other}') && clearInterval(look), 10)`)
  const good = await start([
    { id: 'a', run: meet('a', 'b'), background: true },
    { id: 'b', run: meet('b', 'a'), background: true },
    { id: 'server', run: node(forever), background: true },
    { wait: ['a', 'b'] },
    { cancel: 'server' },
  ]).done
  expect(good.result).toBe('success')
  expect(good.steps.find(({ id }) => id === 'server')).toMatchObject({ sent: ['SIGINT'], signal: 'SIGINT' })
  const bad = await start([
    { id: 'a', run: node('process.exit(3)'), background: true },
    { id: 'b', run: node('') },
  ]).done
  expect(bad.result).toBe('failure')
})

it('cancels with SIGINT, after 7.5 s SIGTERM, after 2.5 s SIGKILL, to the process alone', async () => {
  const child = path.join(folder, 'child')
  const job = start([
    {
      id: 'stubborn',
      run: node(`import { spawn } from 'node:child_process'; import fs from 'node:fs'
        process.on('SIGINT', () => console.log('INT')); process.on('SIGTERM', () => console.log('TERM'))
        const child = spawn('sleep', ['60'], { stdio: 'ignore' })
        fs.writeFileSync('${child}', String(child.pid)); console.log('up'); ${forever}`),
    },
  ])
  await job.line('Main stubborn', /^up$/)
  job.cancel()
  const { result, steps } = await job.done
  expect(result).toBe('cancelled')
  expect(steps[0]).toMatchObject({
    sent: ['SIGINT', 'SIGTERM', 'SIGKILL'],
    signal: 'SIGKILL',
    stdout: 'up\nINT\nTERM\n',
  })
  expect(steps[0]?.durationMs).toBeGreaterThan(10_000)
  // It outlived its parent, and went with the job: the runner finds it by RUNNER_TRACKING_ID.
  const pid = readFileSync(child, 'utf8')
  await expect.poll(() => linuxProcessTable.process(Number(pid))).toBeUndefined()
})

it('begins post steps 7.5 s after a cancellation, though a background step still runs', async () => {
  const job = start([
    {
      id: 'stubborn',
      run: node(
        `for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {}); console.log('up'); ${forever}`,
      ),
      background: true,
    },
    { id: 'cluster', uses: 'setup-cluster', with: { provider: 'k3d' }, background: true },
    { wait: ['stubborn', 'cluster'] },
  ])
  await job.line('Main stubborn', /^up$/)
  await job.line('Main cluster', /::error/)
  job.cancel()
  const ended = (await job.done).steps.map(({ stage, id }) => `${stage} ${id}`)
  expect(ended.slice(0, 2)).toEqual(['Main cluster', 'Post cluster'])
})

it('is a worker by name, whose end leaves no post step', async () => {
  const job = start([{ id: 'cluster', run: node(`console.log('up'); ${forever}`) }])
  await job.line('Main cluster', /^up$/)
  expect(readFileSync(`/proc/${job.worker}/stat`, 'utf8')).toContain('(Runner.Worker)')
  const step = job.pid('Main cluster')
  await job.killWorker('group')
  await expect(job.done).rejects.toThrow('SIGKILL')
  await expect.poll(() => linuxProcessTable.process(step)).toBeUndefined()
})

it('a job that hangs is told of by a line that does not come, and ended with its steps', async () => {
  const job = start([{ id: 'hangs', run: node(`console.log('up'); ${forever}`) }])
  await job.line('Main hangs', /^up$/)
  const step = job.pid('Main hangs')
  await expect(job.line('Main hangs', /^never$/, 200)).rejects.toThrow('has not said /^never$/ within 0.2 s')
  await endJobs()
  await expect(job.done).rejects.toThrow('the worker ended with SIGKILL')
  await expect.poll(() => linuxProcessTable.process(step)).toBeUndefined()
  // Nothing is left to end.
  await endJobs()
})
