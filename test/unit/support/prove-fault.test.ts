import { describe, expect, it } from 'vitest'
import { brokenApps } from '../../support/deploy/broken-apps.ts'
import { whole } from '../../support/deploy/run-broken.ts'
import type { FaultResult } from '../../support/fault-results.ts'
import { mended, proveFault } from '../../support/prove-fault.ts'

const row = { section: 'votes', fault: 'Redis killed', expected: 'no vote lost' } as const
const fails = (message: string) => () => Promise.reject(new Error(message))

function recorder(): { rows: FaultResult[]; record: (result: FaultResult) => void } {
  const rows: FaultResult[] = []
  return { rows, record: (result) => void rows.push(result) }
}

describe('a drill', () => {
  it('that held is a row, and no error', async () => {
    const { rows, record } = recorder()
    await proveFault(row, async () => ({ seen: '0 lost', wrong: [] }), record)
    expect(rows).toEqual([{ ...row, seen: '0 lost', held: true }])
  })

  it('that did not hold is a row, and an error that tells each expectation', async () => {
    const { rows, record } = recorder()
    const run = proveFault(row, async () => ({ seen: '3 lost', wrong: ['vote 1 is lost', 'vote 2 is lost'] }), record)
    await expect(run).rejects.toThrow('Redis killed: vote 1 is lost\nvote 2 is lost')
    expect(rows).toEqual([{ ...row, seen: '3 lost', held: false }])
  })

  it('that could not be tried is a row, and its error', async () => {
    const { rows, record } = recorder()
    await expect(proveFault(row, fails('no Redis pod is Ready'), record)).rejects.toThrow('no Redis pod is Ready')
    expect(rows).toEqual([{ ...row, seen: 'no Redis pod is Ready', held: false }])
  })
})

describe('mending', () => {
  it('runs every step, the last first, when the drill and a step fail; the verdict comes first', async () => {
    const { rows, record } = recorder()
    const ran: string[] = []
    const run = mended(
      row,
      async (mend) => {
        mend(async () => ran.push('first'))
        mend(() => {
          throw new Error('no longer there')
        })
        mend(async () => ran.push('last'))
        throw new Error('3 lost')
      },
      record,
    )
    const error = (await run.catch((reason: unknown) => reason)) as AggregateError
    expect(error).toBeInstanceOf(AggregateError)
    expect(error.message).toBe('3 lost\nand then: no longer there')
    expect(error.errors.map(String)).toEqual(['Error: 3 lost', 'Error: no longer there'])
    expect(ran).toEqual(['last', 'first'])
    expect(rows).toEqual([{ ...row, seen: 'not mended: no longer there', held: false }])
  })

  it('that fails after a drill that held is an error and a row', async () => {
    const { rows, record } = recorder()
    const run = mended(row, async (mend) => mend(fails('the node stays away')), record)
    await expect(run).rejects.toThrow(/^the node stays away$/)
    expect(rows.map(({ held }) => held)).toEqual([false])
  })

  it('throws the one error as it is, and none where nothing failed', async () => {
    const { rows, record } = recorder()
    const verdict = new Error('3 lost')
    await expect(mended(row, () => Promise.reject(verdict), record)).rejects.toBe(verdict)
    await mended(row, async (mend) => mend(async () => {}), record)
    expect(rows).toEqual([])
  })
})

describe('the message of a broken app', () => {
  const says = 'Service v1/web: NoAddress: has no address from a load balancer'
  const service = brokenApps['load balancer that nobody provides']

  it('begins as its row says when it is given up', () => {
    expect(`not ready after 40 s: ${says}`).toMatch(whole(service))
    expect(`will not become ready (given up after 21 s): ${says}`).not.toMatch(whole(service))
    expect(`will not become ready (given up after 9.8 s): ${says}`).toMatch(whole({ ...service, early: true }))
    expect(`not ready after 40 s: ${says}`).not.toMatch(whole({ ...service, early: true }))
  })
})
