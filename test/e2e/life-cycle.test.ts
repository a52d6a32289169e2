import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { runCli } from '../support/cli.ts'
import { containersOf } from '../support/cluster-traces.ts'
import { recordFault } from '../support/fault-results.ts'
import { clusterJob, type LifeCycleHost, leftOf, lifeCycleHost, surroundings } from '../support/life-cycle.ts'
import { type Drill, drillName, expectationOf, runDrill } from '../support/life-cycle-drills.ts'
import { proveFault } from '../support/prove-fault.ts'
import { nextRunDrills, postDrills, recordRow, runNextRunDrills, runPostDrill } from '../support/record-drills.ts'
import { endJobs } from '../support/runner.ts'

/** A sample of test/nightly/life-cycle.test.ts: the built action, started, cancelled and killed as by GitHub's runner (test/support/runner.ts). */
const name = 'kp-life'
let host: LifeCycleHost

beforeEach(() => {
  host = lifeCycleHost(name)
})
afterEach(async () => {
  await endJobs()
  host.remove()
})

function record(fault: string, expected: string, wrong: readonly string[]): void {
  const seen = wrong.length === 0 ? 'so it was' : wrong.join('; ').slice(0, 400)
  recordFault({ section: 'life cycle', fault, expected, seen, held: wrong.length === 0 })
}

it('a job cancelled while its nodes are being created leaves nothing', async () => {
  const drill: Drill = { phase: 'nodes', fault: 'cancelled' }
  const wrong = await runDrill(host, drill)
  record(drillName(drill), expectationOf(drill), wrong)
  expect(wrong).toEqual([])
})

it('a run killed while its nodes are being created is cleaned up by the next, which is green; a live neighbour stays', async () => {
  // Their records lie together: the shared cluster is the neighbour.
  const shared = inject('shared')
  const env = { K8S_PLATFORM_STATE_DIR: shared.stateFolder }
  const drill: Drill = { phase: 'nodes', fault: 'runner killed' }
  const containers = await containersOf(shared.name)
  expect(containers).not.toEqual([])
  const wrong = await runDrill(host, drill, { env, full: true })
  // What the API tells of a node is for a while what was before.
  const now = await containersOf(shared.name)
  if (now.join() !== containers.join()) wrong.push(`the neighbour was ${containers}, is ${now}`)
  const neighbour = await runCli(['status', '--cluster-name', shared.name], { env })
  if (neighbour.code !== 0) wrong.push(`the neighbour: ${neighbour.stdout}`)
  record(`${drillName(drill)}; beside a neighbour`, `${expectationOf(drill)}; it is green, the neighbour stays`, wrong)
  expect(wrong).toEqual([])
})

describe('a post step', () => {
  it.each(postDrills.map((drill) => [drill.fault, drill] as const))('%s', async (_name, drill) => {
    await proveFault(recordRow(drill), async () => {
      const seen = await runPostDrill(host, drill)
      return { seen, wrong: seen === drill.expected ? [] : [`${seen} instead of ${drill.expected}`] }
    })
  })
})

it('the next run removes what dead runs have on record, keeps what lives or may live, and waits for no dead lock', async () => {
  const seen = await runNextRunDrills(host)
  for (const drill of nextRunDrills) {
    const fate = seen.get(drill.fault) ?? 'nothing'
    recordFault({ ...recordRow(drill), seen: fate, held: fate === drill.expected })
  }
  expect(Object.fromEntries(seen)).toEqual(
    Object.fromEntries(nextRunDrills.map(({ fault, expected }) => [fault, expected])),
  )
})

/** A step that uses the cluster until it is told to end, and then once more. */
const useUntilTold = `
import { existsSync, readFileSync } from 'node:fs'
import https from 'node:https'
const [, server] = /server: (\\S+)/.exec(readFileSync(process.env.KUBECONFIG, 'utf8'))
const healthz = () => new Promise((resolve, reject) =>
  https.get(server + '/healthz', { rejectUnauthorized: false }, (answer) => answer.on('data', (text) => resolve(String(text)))).on('error', reject))
console.log('healthz', await healthz())
const look = setInterval(async () => {
  if (!existsSync(process.env.TOLD)) return
  clearInterval(look)
  console.log('still', await healthz())
}, 50)`

it('two legs of a matrix, started at the same instant, have clusters of their own; one goes, the other stays', async () => {
  const before = await surroundings()
  const legs = ['runner-1', 'runner-2'].map((runner) => {
    const leg = lifeCycleHost(runner)
    const told = path.join(leg.folder, 'told')
    const inputs = { 'image-source': 'packages', workers: '0', 'kubectl-version': 'none' }
    const use = [process.execPath, '--input-type=module', '--eval', useUntilTold]
    const steps = [
      { id: 'cluster', uses: 'setup-cluster', with: inputs },
      { id: 'use', run: use },
    ]
    // One HOME, as of two runners of one user.
    const job = clusterJob(leg, {}, { runner, steps, env: { HOME: path.join(host.folder, 'home'), TOLD: told } })
    return { leg, job, told }
  })
  try {
    await Promise.all(legs.map(({ job }) => job.line('Main use', /^healthz ok$/)))
    const outputs: Readonly<Record<string, string>>[] = []
    for (const { job, told } of legs) {
      writeFileSync(told, '')
      // The second is told when the first and its cluster are gone.
      const run = await job.done
      expect(run.result, job.log()).toBe('success')
      expect(run.steps.map(({ id, stage, code }) => `${stage} ${id} ${code}`)).toEqual([
        'Main cluster 0',
        'Main use 0',
        'Post cluster 0',
      ])
      expect(run.steps[1]?.stdout).toContain('still ok')
      outputs.push(run.steps[0]?.outputs ?? {})
    }
    for (const output of ['cluster-name', 'kubeconfig', 'registry', 'load-balancer-range', 'logs-path'])
      expect(new Set(outputs.map((one) => one[output])).size, output).toBe(2)
    for (const one of outputs) {
      const ports = [one['registry']?.split(':').at(-1) ?? '']
      expect(ports).toEqual([expect.stringMatching(/^\d+$/)])
      expect(await leftOf({ ...host, cluster: one['cluster-name'] ?? '' }, before, ports)).toEqual([])
    }
  } finally {
    for (const { leg } of legs) leg.remove()
  }
})
