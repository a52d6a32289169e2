import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cacheFolder } from '../../src/process/environment.ts'
import { type CliRun, runCli } from '../support/cli.ts'
import { recordFault } from '../support/fault-results.ts'
import {
  clusterJob,
  type LifeCycleHost,
  leftOf,
  lifeCycleHost,
  phases,
  strike,
  surroundings,
} from '../support/life-cycle.ts'
import { drillName, drillsOf, lifeCycleRow, runDrill, runsToTheEnd, wrongWith } from '../support/life-cycle-drills.ts'
import { proveFault } from '../support/prove-fault.ts'
import { endJobs } from '../support/runner.ts'

/** Every fault in every phase of the built action, and what a person may do to the command line. test/e2e/life-cycle.test.ts has the sample, and what is no matter of phases. */
const name = 'kp-life'
let host: LifeCycleHost

beforeEach(() => {
  host = lifeCycleHost(name)
  for (const part of ['home', 'tmp']) mkdirSync(path.join(host.folder, part))
})
afterEach(async () => {
  await endJobs()
  host.remove()
})

function seenOf(wrong: readonly string[]): string {
  return wrong.length === 0 ? 'so it was' : wrong.join('; ').slice(0, 400)
}

function report(fault: string, expected: string, wrong: readonly string[]): void {
  recordFault({ section: 'life cycle', fault, expected, seen: seenOf(wrong), held: wrong.length === 0 })
  expect(wrong).toEqual([])
}

describe('the matrix of phases and faults', () => {
  it.each(drillsOf().map((drill) => [drillName(drill), drill] as const))('%s', async (_name, drill) => {
    await proveFault(lifeCycleRow(drill), async () => {
      const wrong = await runDrill(host, drill, runsToTheEnd(drill) ? { full: true } : {})
      return { seen: seenOf(wrong), wrong }
    })
  })
})

describe('steps in the background', () => {
  const inputs = { 'image-source': 'packages', workers: '0', 'kubectl-version': 'none' }
  const cluster = (id: string, own: string) =>
    ({ id, uses: 'setup-cluster', with: { ...inputs, 'cluster-name': own }, background: true }) as const
  const uses = [process.execPath, '--eval', "process.exit(process.env.KUBECONFIG.includes('kp-life') ? 0 : 1)"]

  it('two clusters boot while the job goes on; post steps remove both', async () => {
    const before = await surroundings()
    const steps = [
      cluster('one', `${name}-one`),
      cluster('two', `${name}-two`),
      { id: 'meanwhile', run: [process.execPath, '--version'] },
      { wait: ['one', 'two'] },
      { id: 'use', run: uses },
    ]
    const job = clusterJob(host, {}, { steps })
    const run = await job.done
    const order = run.steps.map(({ stage, id, code }) => `${stage} ${id} ${code}`)
    const wrong = [
      ...(run.result === 'success' ? [] : [`${run.result}: ${job.log()}`]),
      ...(order[0] === 'Main meanwhile 0' ? [] : [`the first to end was ${order[0]}`]),
      ...(order.slice(-2).join() === 'Post two 0,Post one 0' ? [] : [`the last were ${order.slice(-2)}`]),
      ...(await leftOf({ ...host, cluster: `${name}-one` }, before)),
      ...(await leftOf({ ...host, cluster: `${name}-two` }, before)),
    ]
    report('two steps with background: true', 'both clusters are made at once, post steps remove both', wrong)
  })

  it('a cancelled job reaches one whose nodes are being created', async () => {
    const before = await surroundings()
    const job = clusterJob(host, {}, { steps: [cluster('cluster', name), { wait: ['cluster'] }] })
    const run = await strike(job, phases.nodes, 'cancelled')
    const wrong = run === undefined ? ['no end'] : [...wrongWith(run, 'cancelled'), ...(await leftOf(host, before))]
    report(
      'background: true, node containers being created: cancelled',
      'the step ends before the post steps begin, which is after 7.5 s; nothing is left',
      wrong,
    )
  })
})

describe('the command line', () => {
  const args = ['--cluster-name', name, '--image-source', 'packages', '--workers', '0']
  const up = (onLog?: (text: string, kill: (signal: NodeJS.Signals) => void) => void): Promise<CliRun> =>
    runCli(['up', ...args, '--through', 'cluster', '--verbose'], {
      env: environment(),
      ...(onLog === undefined ? {} : { onLog }),
    })
  const environment = () => ({
    HOME: path.join(host.folder, 'home'),
    TMPDIR: path.join(host.folder, 'tmp'),
    XDG_STATE_HOME: '',
    K8S_PLATFORM_CACHE_DIR: cacheFolder(process.env),
  })
  const down = () => runCli(['down', '--cluster-name', name], { env: environment() })
  const failureOf = (run: CliRun, code: number, part: RegExp): string[] =>
    run.code === code && part.test(run.log) ? [] : [`ended with ${run.code}: ${run.log.slice(-600)}`]

  it('two `up` of one name at once: one makes it, the other says who does', async () => {
    const before = await surroundings()
    const runs = await Promise.all([up(), up()])
    const [made, refused] = runs[0].code === 0 ? runs : [runs[1], runs[0]]
    const wrong = [
      ...failureOf(made, 0, /phase dns/),
      ...failureOf(refused, 1, /cluster kp-life exists already \(creating, made by process \d+/),
      ...failureOf(await down(), 0, /remove cluster kp-life/),
      ...(await leftOf(host, before)),
    ]
    report(
      'two `up` of one name at once',
      'one is green, the other ends with CLUSTER_EXISTS and touches nothing',
      wrong,
    )
  })

  it.each([
    ['Ctrl-C', ['SIGINT']],
    ['Ctrl-C twice', ['SIGINT', 'SIGINT']],
    ['SIGTERM', ['SIGTERM']],
    ['SIGHUP: the terminal is closed', ['SIGHUP']],
    ['SIGKILL', ['SIGKILL']],
  ] as const)('`up` while nodes are being created: %s; then `down`', async (what, signals) => {
    const before = await surroundings()
    let log = ''
    let sent = 0
    const run = await up((text, kill) => {
      log += text
      // The second when the first has been heard.
      const due = sent === 0 ? /• Preparing nodes/ : /once more to stop at once/
      if (signals[sent] !== undefined && due.test(log)) kill(signals[sent++] ?? 'SIGKILL')
    })
    const wrong = [
      ...(run.code === (what === 'SIGKILL' ? null : 130) ? [] : [`up ended with ${run.code}: ${run.log.slice(-600)}`]),
      ...failureOf(await down(), 0, /./),
      ...(await leftOf(host, before)),
    ]
    report(
      `\`up\` while nodes are being created: ${what}`,
      'it ends with 130 (killed: at once); `down` leaves nothing',
      wrong,
    )
  })
})
