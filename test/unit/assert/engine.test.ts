import { describe, expect, it } from 'vitest'
import { type Check, type Outcome, pass } from '../../../src/assert/check.ts'
import { converge } from '../../../src/assert/converge.ts'
import { InconclusiveError, LostError, runChecks } from '../../../src/assert/engine.ts'
import { ApiError } from '../../../src/kubernetes/api-error.ts'
import { NotReadyError, ToolkitError, UnsupportedError } from '../../../src/process/errors.ts'
import { pause } from '../../../src/process/wait.ts'
import { testHost } from '../../support/test-host.ts'

const check = (id: string, run: Check['run'], more: Partial<Check> = {}): Check => ({
  id,
  title: id,
  suite: 'test',
  lane: 'parallel',
  needs: [],
  timeoutMs: 5_000,
  run,
  ...more,
})
const green = async (): Promise<Outcome> => pass('fine')
const red = async (): Promise<Outcome> => ({ verdict: 'fail', reason: 'broken' })
const options = { timeoutMs: 10_000 }

describe('engine', () => {
  it('skips what needs a check that is not green, and what needs that', async () => {
    const records = await runChecks(
      testHost(),
      [check('c', green, { needs: ['b'] }), check('a', red), check('b', green, { needs: ['a'] }), check('d', green)],
      options,
    )
    expect(records.map(({ id, verdict, reason }) => [id, verdict, reason])).toEqual([
      ['c', 'skipped', 'needs b (skipped)'],
      ['a', 'fail', 'broken'],
      ['b', 'skipped', 'needs a (fail)'],
      ['d', 'pass', 'fine'],
    ])
  })

  it('runs the lanes one after the other and exclusive checks alone', async () => {
    const log: string[] = []
    const traced = (id: string, more: Partial<Check> = {}): Check =>
      check(
        id,
        async (context) => {
          log.push(`${id} starts`)
          await pause(20, context.host.signal)
          log.push(`${id} ends`)
          return pass('')
        },
        more,
      )
    await runChecks(
      testHost(),
      [
        traced('f', { lane: 'final' }),
        traced('x', { lane: 'exclusive' }),
        traced('y', { lane: 'exclusive' }),
        traced('p'),
        traced('q'),
      ],
      options,
    )
    expect(log).toEqual([
      'p starts',
      'q starts',
      'p ends',
      'q ends',
      'x starts',
      'x ends',
      'y starts',
      'y ends',
      'f starts',
      'f ends',
    ])
  })

  it('never runs two checks of the same serial key at once', async () => {
    let running = 0
    let most = 0
    const counted = (id: string): Check =>
      check(
        id,
        async (context) => {
          most = Math.max(most, ++running)
          await pause(10, context.host.signal)
          running -= 1
          return pass('')
        },
        { serial: 'votes' },
      )
    await runChecks(testHost(), [counted('a'), counted('b'), counted('c')], options)
    expect(most).toBe(1)
  })

  it('fails a check that runs out of its time, with what it was waiting for', async () => {
    const [record] = await runChecks(
      testHost(),
      [
        check(
          'slow',
          async (context) => {
            context.waiting('a frame')
            await new Promise(() => {})
            return pass('never')
          },
          { timeoutMs: 50 },
        ),
      ],
      options,
    )
    expect(record).toMatchObject({ verdict: 'fail', timedOut: true })
    expect(record?.reason).toBe('no verdict after 0.1 s; was waiting for: a frame')
  })

  it('fails what is under way and does not start the rest when the time of the run is up', async () => {
    const never = (): Promise<Outcome> => new Promise(() => {})
    const records = await runChecks(testHost(), [check('under way', never), check('later', green, { lane: 'final' })], {
      timeoutMs: 50,
    })
    expect(records.map((record) => [record.verdict, record.timedOut])).toEqual([
      ['fail', true],
      ['inconclusive', true],
    ])
  })

  it('is inconclusive, never green, when the run is cancelled', async () => {
    const cancel = new AbortController()
    const host = testHost({ signal: cancel.signal })
    const running = runChecks(
      host,
      [check('a', () => new Promise(() => {})), check('b', green, { lane: 'final' })],
      options,
    )
    cancel.abort()
    expect((await running).map((record) => record.verdict)).toEqual(['inconclusive', 'inconclusive'])
  })

  it.each([
    [new NotReadyError('vote not ready after 5 s'), 'fail', 'vote not ready after 5 s', undefined],
    [new InconclusiveError('no Service vote'), 'inconclusive', 'no Service vote', undefined],
    [new ApiError('GET /', 403, 'Forbidden', 'no'), 'inconclusive', 'GET /: 403 Forbidden: no', undefined],
    [new UnsupportedError('has no such kind'), 'inconclusive', 'has no such kind', undefined],
    [new LostError('stream lost'), 'inconclusive', 'stream lost', true],
    [new ApiError('GET /', 503, 'Unavailable', 'etcd'), 'inconclusive', 'GET /: 503 Unavailable: etcd', true],
    [new ToolkitError('hang up', { code: 'KUBERNETES_UNREACHABLE' }), 'inconclusive', 'hang up', true],
    [new TypeError('x is undefined'), 'inconclusive', 'the check itself broke: x is undefined', true],
  ])('turns %s into a verdict, and says what was lost', async (error, verdict, reason, lost) => {
    const [record] = await runChecks(testHost(), [check('a', () => Promise.reject(error))], options)
    expect(record).toMatchObject({ verdict, reason })
    expect(record?.lost).toBe(lost)
  })

  it.each([
    ['two checks have the id a', [check('a', green), check('a', green)]],
    ['a needs b, which is not among the checks', [check('a', green, { needs: ['b'] })]],
    ['checks need each other: a -> b -> a', [check('a', green, { needs: ['b'] }), check('b', green, { needs: ['a'] })]],
    [
      'a (parallel) needs b, which runs later (final)',
      [check('a', green, { needs: ['b'] }), check('b', green, { lane: 'final' })],
    ],
  ])('refuses: %s', async (message, checks) => {
    await expect(runChecks(testHost(), checks, options)).rejects.toThrow(message)
  })
})

describe('converge', () => {
  const looking = (looks: string[], confirmations = 1): Check =>
    check('a', async (context) => {
      const seen = await converge(
        context,
        async () => {
          const next = looks.length > 1 ? looks.shift() : looks[0]
          return { value: next, differences: next === '' ? [] : [String(next)] }
        },
        { timeoutMs: 200, intervalMs: 10, confirmations },
      )
      return {
        verdict: seen.matched ? 'pass' : 'fail',
        reason: seen.differences.join(),
        observations: { looks: seen.looks },
      }
    })

  it('keeps each different look as an attempt and stops at the match', async () => {
    const [record] = await runChecks(testHost(), [looking(['no row', 'no row', 'two rows', ''])], options)
    expect(record).toMatchObject({ verdict: 'pass', observations: { looks: 4 } })
    expect(record?.attempts.map((attempt) => attempt.seen)).toEqual(['no row', 'two rows'])
  })

  it('starts to count again when a match is not confirmed', async () => {
    const [record] = await runChecks(testHost(), [looking(['', 'gone', '', '', ''], 3)], options)
    expect(record).toMatchObject({ verdict: 'pass', observations: { looks: 5 } })
  })

  it('gives up at its time-out with the last difference', async () => {
    const [record] = await runChecks(testHost(), [looking(['no row'])], options)
    expect(record).toMatchObject({ verdict: 'fail', reason: 'no row' })
  })
})
