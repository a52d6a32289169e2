import { describe, expect, it } from 'vitest'
import {
  currentOwner,
  linuxProcessTable,
  livenessOf,
  type ProcessTable,
  parseStat,
} from '../../../src/cluster/owner.ts'

type Entry = { name: string; parent: number; startTime: string }

function table(processes: Readonly<Record<number, Entry>>, bootId = 'boot-1', pidNamespace = 'pid:[1]'): ProcessTable {
  return {
    bootId: async () => bootId,
    pidNamespace: async () => pidNamespace,
    process: async (pid) => processes[pid],
  }
}

const runner = {
  100: { name: 'Runner.Worker', parent: 90, startTime: '1000' },
  110: { name: 'bash', parent: 100, startTime: '2000' },
  120: { name: 'node', parent: 110, startTime: '3000' },
  90: { name: 'Runner.Listener', parent: 1, startTime: '10' },
}

describe('currentOwner', () => {
  it("is the runner's worker in a job", async () => {
    expect(await currentOwner({ pid: 120, kind: 'job', runId: '7', runAttempt: '2' }, table(runner))).toEqual({
      kind: 'job',
      runId: '7',
      runAttempt: '2',
      bootId: 'boot-1',
      pid: 100,
      startTime: '1000',
      pidNamespace: 'pid:[1]',
    })
  })

  it('is the parent where there is no such worker, because our own process ends with the step', async () => {
    const processes = { ...runner, 100: { ...runner[100], name: 'act' } }
    expect(await currentOwner({ pid: 120, kind: 'job' }, table(processes))).toMatchObject({
      pid: 110,
      startTime: '2000',
    })
  })

  it("is the first process of a job's container, where a step has no parent in sight", async () => {
    const container = {
      1: { name: 'tail', parent: 0, startTime: '50' },
      120: { name: 'node', parent: 0, startTime: '3000' },
    }
    expect(await currentOwner({ pid: 120, kind: 'job' }, table(container))).toMatchObject({ pid: 1, startTime: '50' })
  })

  it('is the command itself for a person', async () => {
    expect(await currentOwner({ pid: 120, kind: 'person' }, table(runner))).toMatchObject({
      pid: 120,
      startTime: '3000',
    })
  })
})

describe('livenessOf', () => {
  const owner = { kind: 'job', bootId: 'boot-1', pid: 100, startTime: '1000', pidNamespace: 'pid:[1]' } as const

  it('knows the living from the dead', async () => {
    expect(await livenessOf(owner, table(runner))).toBe('alive')
    expect(await livenessOf(owner, table({}))).toBe('dead')
  })

  it('is not fooled by a process that has the same id now', async () => {
    expect(await livenessOf(owner, table({ 100: { name: 'sh', parent: 1, startTime: '5000' } }))).toBe('dead')
  })

  it('counts everything of an earlier boot as dead', async () => {
    expect(await livenessOf(owner, table(runner, 'boot-2'))).toBe('dead')
  })

  it('does not judge processes it cannot see', async () => {
    expect(await livenessOf(owner, table({}, 'boot-1', 'pid:[2]'))).toBe('unknown')
  })
})

describe('the process table', () => {
  it('reads names with spaces and parentheses', () => {
    const fields = ['S', '42', ...Array.from({ length: 17 }, () => '0'), '987']
    expect(parseStat(`7 (a (weird) name) ${fields.join(' ')}`)).toEqual({
      name: 'a (weird) name',
      parent: 42,
      startTime: '987',
    })
  })

  it('does not count a zombie', () => {
    expect(
      parseStat(`7 (node) ${['Z', '42', ...Array.from({ length: 17 }, () => '0'), '987'].join(' ')}`),
    ).toBeUndefined()
  })

  it('finds this very process', async () => {
    const owner = await currentOwner({ pid: process.pid, kind: 'person' })
    expect(await linuxProcessTable.process(process.pid)).toMatchObject({ parent: process.ppid })
    expect(await livenessOf(owner)).toBe('alive')
    expect(await livenessOf({ ...owner, startTime: '1' })).toBe('dead')
  })
})
