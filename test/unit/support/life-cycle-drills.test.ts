import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { recordOf } from '../../support/life-cycle.ts'
import {
  drillsOf,
  lifeCycleRow,
  loneDrills,
  loneRow,
  sampledLoneDrills,
  wrongAlone,
  wrongWithStrike,
} from '../../support/life-cycle-drills.ts'
import { lowerLimits } from '../../support/lone-host.ts'
import type { JobRun } from '../../support/runner.ts'
import { testHost } from '../../support/test-host.ts'
import { stateOf } from '../cluster/states.ts'

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

it('a drill alone on its host shows nothing where the run had not made what clusters share', () => {
  const made = { raised: true, rules: true }
  expect(wrongAlone('nodes', made, undefined)).toEqual([])
  expect(wrongAlone('nodes', { ...made, rules: false }, undefined)).toHaveLength(1)
  expect(wrongAlone('network', { ...made, raised: false }, undefined)).toHaveLength(1)
  // Of a run that nobody cleaned up after, the raised limits must be there to be found.
  expect(wrongAlone('teardown', made, ['home /x.json'])).toEqual(['the raised limits were not left'])
  expect(wrongAlone('teardown', made, ['limit max_user_instances 512'])).toEqual([])
  expect(wrongAlone('recorded', { raised: false, rules: false }, [])).toEqual([])
})

it('the part of the matrix for a lone host is of the matrix, with rows of its own', () => {
  expect(drillsOf()).toEqual(expect.arrayContaining([...loneDrills]))
  expect(loneDrills).toEqual(expect.arrayContaining([...sampledLoneDrills]))
  const rows = [...drillsOf().map(lifeCycleRow), ...loneDrills.map(loneRow)].map(({ fault }) => fault)
  expect(new Set(rows).size).toBe(rows.length)
})

it('the ports of a cluster are read from its record: the registry and what nodes publish', () => {
  const { paths } = testHost()
  mkdirSync(paths.state, { recursive: true })
  expect(recordOf({ cluster: 'x' }, paths.state)).toBeUndefined()
  const record = (content: object): void => writeFileSync(path.join(paths.state, 'x.json'), JSON.stringify(content))
  record({ name: 'x', hostPorts: {} })
  expect(recordOf({ cluster: 'x' }, paths.state)).toEqual({ network: false, ports: [] })
  record(
    stateOf({
      name: 'x',
      hostPorts: { '30080': '127.0.0.1:41000' },
      registry: { container: 'x-registry', port: 42_000 },
      network: { name: 'k8s-platform', created: false, sealed: true },
    }),
  )
  expect(recordOf({ cluster: 'x' }, paths.state)).toEqual({ network: true, ports: ['41000', '42000'] })
})

it('limits that are high enough are lowered for a while; others stay', () => {
  const folder = testHost().paths.state
  mkdirSync(folder, { recursive: true })
  const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8').trim()
  writeFileSync(path.join(folder, 'max_user_instances'), '128\n')
  writeFileSync(path.join(folder, 'max_user_watches'), '1000000\n')
  const restore = lowerLimits(folder)
  expect([read('max_user_instances'), read('max_user_watches')]).toEqual(['128', '524287'])
  restore()
  expect([read('max_user_instances'), read('max_user_watches')]).toEqual(['128', '1000000'])
})
