import { describe, expect, it } from 'vitest'
import { CancelledError, InputError, NotReadyError } from '../../../src/process/errors.ts'
import { Timings } from '../../../src/process/timings.ts'
import { formatSeconds, waitFor } from '../../../src/process/wait.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'

describe('waitFor', () => {
  it('resolves with the first value that is done', async () => {
    let looks = 0
    const value = await waitFor(testHost(), 'three looks', async () => ++looks, {
      done: (n) => n === 3,
      explain: (n) => `${n} of 3`,
      timeoutMs: 5_000,
      intervalMs: 1,
    })
    expect(value).toBe(3)
  })

  it('fails at the deadline with what it waited for and the last reason, and says each reason once', async () => {
    const log = recordingLogger()
    const wait = waitFor(testHost({ log }), 'node worker2', async () => 'cni plugin not initialized', {
      done: () => false,
      explain: (reason) => reason,
      timeoutMs: 50,
      intervalMs: 5,
      hint: 'look at the CNI',
    })
    const error = (await wait.catch((caught: unknown) => caught)) as NotReadyError
    expect(error).toBeInstanceOf(NotReadyError)
    expect(error.message).toBe('node worker2 not ready after 0.1 s: cni plugin not initialized')
    expect(error.hint).toBe('look at the CNI')
    expect(log.lines).toEqual(['progress: waiting for node worker2: cni plugin not initialized'])
  })

  it('takes a probe that throws as not yet, and keeps the cause', async () => {
    const refused = new Error('connect ECONNREFUSED')
    const wait = waitFor(testHost(), 'the API', () => Promise.reject(refused), {
      done: () => true,
      explain: () => '',
      timeoutMs: 30,
      intervalMs: 5,
    })
    const error = (await wait.catch((caught: unknown) => caught)) as NotReadyError
    expect(error.message).toContain('connect ECONNREFUSED')
    expect(error.cause).toBe(refused)
  })

  it('stops at once when cancelled', async () => {
    const cancel = new AbortController()
    const wait = waitFor(
      testHost({ signal: cancel.signal }),
      'for ever',
      async () => {
        cancel.abort()
        return 0
      },
      { done: () => false, explain: () => 'never', timeoutMs: 60_000, intervalMs: 60_000 },
    )
    await expect(wait).rejects.toBeInstanceOf(CancelledError)
  })
})

describe('timings', () => {
  it('records overlapping phases by start, also the one that failed', async () => {
    let now = 0
    const timings = new Timings({ monotonic: () => now, now: () => new Date(0) })
    await timings.phase('create', async () => {
      now = 30
    })
    await timings
      .phase('install', async () => {
        now = 50
        throw new Error('no')
      })
      .catch(() => {})
    expect(timings.entries()).toEqual([
      { name: 'create', startMs: 0, durationMs: 30, ok: true },
      { name: 'install', startMs: 30, durationMs: 20, ok: false },
    ])
  })
})

describe('errors', () => {
  it('shows every problem at once with value, allowed form and example', () => {
    const error = new InputError([
      { name: 'workers', value: 'many', problem: 'is not a whole number', allowed: '0 to 50', example: '3' },
      { name: 'timeout', problem: 'is missing' },
    ])
    expect(error.message).toBe(
      '2 problems:\n- workers (got "many") is not a whole number; allowed: 0 to 50; example: 3\n- timeout is missing',
    )
  })

  it('formats durations for people', () => {
    expect([formatSeconds(1_234), formatSeconds(45_000), formatSeconds(150_000)]).toEqual(['1.2 s', '45 s', '2 m 30 s'])
  })
})
