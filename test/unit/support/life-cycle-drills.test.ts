import { expect, it } from 'vitest'
import { drillsOf, wrongWithStrike } from '../../support/life-cycle-drills.ts'
import type { JobRun } from '../../support/runner.ts'

const ended = (stage: 'Main' | 'Post', code: number | null, signal: string | null): JobRun =>
  ({ result: 'failure', steps: [{ id: 'cluster', stage, code, signal }] }) as unknown as JobRun

it('a kill drill shows nothing where the step ended by itself', () => {
  const drill = { phase: 'nodes', fault: 'step killed' } as const
  expect(wrongWithStrike(drill, ended('Main', null, 'SIGKILL'), { network: true })).toEqual([])
  expect(wrongWithStrike(drill, ended('Main', 0, null), { network: true })).toEqual([
    'the step was not killed: it ended with 0',
  ])
  // Of the step that was struck, not of another.
  const teardown = { phase: 'teardown', fault: 'step killed' } as const
  expect(wrongWithStrike(teardown, ended('Main', null, 'SIGKILL'), { network: true })).toHaveLength(1)
  expect(wrongWithStrike(teardown, ended('Post', null, 'SIGKILL'), { network: true })).toEqual([])
})

it('a kill drill shows nothing where nothing had been made', () => {
  for (const drill of drillsOf()) {
    const run = drill.fault.includes('step')
      ? ended(drill.phase === 'teardown' ? 'Post' : 'Main', null, 'SIGKILL')
      : undefined
    const early = ['preflight', 'recorded', 'network'].includes(drill.phase) || drill.fault === 'cancelled'
    for (const record of [undefined, { network: false }])
      expect(wrongWithStrike(drill, run, record), JSON.stringify(drill)).toHaveLength(early ? 0 : 1)
    expect(wrongWithStrike(drill, run, { network: true })).toEqual([])
  }
})
