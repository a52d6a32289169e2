import { describe, expect, it } from 'vitest'
import { failOnOf, judgeRun } from '../../../src/assert/judge.ts'
import type { CheckRecord, Verdict } from '../../../src/report/record.ts'

const record = (id: string, suite: string, verdict: Verdict, more: Partial<CheckRecord> = {}): CheckRecord => ({
  id,
  title: id,
  suite,
  lane: 'parallel',
  needs: [],
  verdict,
  reason: `${id} ${verdict}`,
  startMs: 0,
  durationMs: 1,
  observations: {},
  evidence: [],
  attempts: [],
  ...more,
})
const defaults = { requested: [], failOn: ['fail', 'inconclusive'] as const, allowSkip: [], cancelled: false }

describe('the verdict of a run', () => {
  it('is pass only when something passed and nothing is red', () => {
    const checks = [record('a', 's', 'pass'), record('b', 's', 'skipped')]
    expect(judgeRun(checks, defaults)).toEqual({ verdict: 'pass', problems: [] })
  })

  it('is fail when no check was there, or none ran', () => {
    expect(judgeRun([], defaults)).toEqual({ verdict: 'fail', problems: ['no check was selected'] })
    expect(judgeRun([record('a', 's', 'skipped')], defaults).problems).toEqual(['no check ran: all were skipped'])
  })

  const tolerant = { ...defaults, failOn: ['fail'] as const }

  it('follows fail-on: what an account may not see can be tolerated', () => {
    const inconclusive = [record('a', 's', 'pass'), record('b', 's', 'inconclusive')]
    expect(judgeRun(inconclusive, defaults)).toEqual({ verdict: 'fail', problems: [] })
    expect(judgeRun(inconclusive, tolerant)).toEqual({ verdict: 'pass', problems: [] })
    const skipped = [record('a', 's', 'pass'), record('b', 's', 'skipped')]
    expect(judgeRun(skipped, { ...defaults, failOn: ['skipped'] })).toEqual({ verdict: 'fail', problems: [] })
  })

  it('is fail when a check failed, also where fail-on does not name that', () => {
    const failed = [record('a', 's', 'pass'), record('b', 's', 'fail')]
    for (const failOn of [[], ['skipped'], ['inconclusive'], ['fail']] as const)
      expect(judgeRun(failed, { ...defaults, failOn })).toEqual({ verdict: 'fail', problems: [] })
    expect(failOnOf(['skipped'])).toEqual(['fail', 'skipped'])
    expect(failOnOf()).toEqual(['fail', 'inconclusive'])
  })

  it('never makes a time-out green', () => {
    const late = [record('a', 's', 'pass'), record('b', 's', 'inconclusive', { timedOut: true })]
    expect(judgeRun(late, tolerant)).toEqual({ verdict: 'fail', problems: ['out of time: b'] })
  })

  it('never makes a lost stream green, and says so once', () => {
    const lost = [record('a', 's', 'pass'), record('b', 's', 'inconclusive', { lost: true })]
    expect(judgeRun(lost, tolerant)).toEqual({
      verdict: 'fail',
      problems: ['lost the way to look, which fail-on does not tolerate: b; see their reasons, then run again'],
    })
    expect(judgeRun(lost, defaults)).toEqual({ verdict: 'fail', problems: [] })
  })

  it('is fail when nothing passed, and says so where nothing else is red', () => {
    const unseen = [record('a', 's', 'inconclusive'), record('b', 's', 'skipped')]
    expect(judgeRun(unseen, tolerant)).toEqual({
      verdict: 'fail',
      problems: [
        'nothing passed, so nothing is proven (0 passed, 0 failed, 1 inconclusive, 1 skipped): mend what the reasons name, or ask for a suite that can look here',
      ],
    })
    expect(judgeRun(unseen, defaults)).toEqual({ verdict: 'fail', problems: [] })
    expect(judgeRun([record('a', 's', 'fail')], tolerant)).toEqual({ verdict: 'fail', problems: [] })
  })

  it('is fail when a suite asked for by name was skipped, unless that is allowed', () => {
    const checks = [record('a', 's', 'pass'), record('b', 'votes', 'skipped', { reason: 'takes no votes' })]
    const asked = { ...defaults, requested: ['s', 'votes'] }
    expect(judgeRun(checks, asked).problems).toEqual(['suite votes was asked for and skipped: takes no votes'])
    expect(judgeRun(checks, { ...asked, allowSkip: ['votes'] }).verdict).toBe('pass')
    expect(judgeRun(checks, defaults).verdict).toBe('pass')
  })

  it('is fail when the run was cancelled', () => {
    expect(judgeRun([record('a', 's', 'pass')], { ...defaults, cancelled: true }).verdict).toBe('fail')
  })
})
