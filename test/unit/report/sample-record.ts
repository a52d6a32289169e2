import { type CheckRecord, type RunRecord, recordSchema } from '../../../src/report/record.ts'

export const hostile =
  '<script>alert(1)</script> ]]> | `x` @octocat [a](javascript:b) ::error::x \u001b[31m\u0000 "q" \'s\' \nnext | line'

export function checkRecord(overrides: Partial<CheckRecord> = {}): CheckRecord {
  return {
    id: 'R4.stored',
    title: 'The vote is a row',
    suite: 'vote-flow',
    lane: 'parallel',
    needs: [],
    verdict: 'pass',
    reason: 'row found after 0.2 s',
    startMs: 10,
    durationMs: 250,
    observations: {},
    evidence: [],
    attempts: [],
    ...overrides,
  }
}

export function runRecord(checks: readonly CheckRecord[], overrides: Partial<RunRecord> = {}): RunRecord {
  return {
    schema: recordSchema,
    run: 'abc123',
    startedAt: '2026-11-21T11:00:00.000Z',
    durationMs: 4800,
    target: 'voting-app',
    namespace: 'voting-app',
    serverVersion: 'v1.34.3',
    nodes: [{ name: 'worker', version: 'v1.34.3', ready: true }],
    suites: ['vote-flow'],
    failOn: ['fail', 'inconclusive'],
    allowSkip: [],
    verdict: checks.some((check) => check.verdict === 'fail') ? 'fail' : 'pass',
    problems: [],
    checks,
    timings: [{ name: 'probe pods', startMs: 0, durationMs: 2800, ok: true }],
    ...overrides,
  }
}
