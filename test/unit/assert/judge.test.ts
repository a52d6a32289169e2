import { describe, expect, it } from 'vitest'
import { judgeRun } from '../../../src/assert/judge.ts'
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
  it('is pass only when something ran and nothing is red', () => {
    const checks = [record('a', 's', 'pass'), record('b', 's', 'skipped')]
    expect(judgeRun(checks, defaults)).toEqual({ verdict: 'pass', problems: [] })
  })

  it('is fail when no check was there, or none ran', () => {
    expect(judgeRun([], defaults)).toEqual({ verdict: 'fail', problems: ['no check was selected'] })
    expect(judgeRun([record('a', 's', 'skipped')], defaults).problems).toEqual(['no check ran: all were skipped'])
  })

  it('follows fail-on, but never makes a time-out green', () => {
    const inconclusive = [record('a', 's', 'pass'), record('b', 's', 'inconclusive')]
    expect(judgeRun(inconclusive, defaults).verdict).toBe('fail')
    expect(judgeRun(inconclusive, { ...defaults, failOn: ['fail'] }).verdict).toBe('pass')
    const late = [record('a', 's', 'pass'), record('b', 's', 'inconclusive', { timedOut: true })]
    expect(judgeRun(late, { ...defaults, failOn: [] })).toEqual({ verdict: 'fail', problems: ['out of time: b'] })
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
