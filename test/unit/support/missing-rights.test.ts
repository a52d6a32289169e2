import { describe, expect, it } from 'vitest'
import { permissions } from '../../../src/assert/permissions.ts'
import type { CheckRecord, Verdict } from '../../../src/report/record.ts'
import { missingRights } from '../../support/limited-account.ts'
import { findingOf } from '../../support/run-limited.ts'

const missing = missingRights()
const verbsOf = (all: typeof permissions): string[] =>
  all.flatMap(({ group, place, resources, verbs, names = [] }) =>
    resources.flatMap((resource) => verbs.map((verb) => [verb, resource, group, place, ...names].join(' '))),
  )

describe('the rights taken away', () => {
  it('are each verb on each resource by itself', () => {
    expect(missing).toHaveLength(verbsOf(permissions).length)
    expect(new Set(missing.map(({ title }) => title)).size).toBe(missing.length)
  })

  it.each(missing.map((one) => [one.title, one] as const))(
    '%s: exactly that one',
    (_title, { left, verb, resource }) => {
      const still = verbsOf(left)
      const gone = verbsOf(permissions).filter((one) => !still.includes(one))
      expect(gone).toHaveLength(1)
      expect(gone[0]).toMatch(new RegExp(`^${verb} ${resource} `))
      expect(still).toHaveLength(verbsOf(permissions).length - 1)
    },
  )
})

describe('a right that is missing', () => {
  const listPods = missing.find(({ title }) => title === 'list pods in app')
  if (listPods === undefined) throw new Error('no such right')
  const checked = (verdict: Verdict, reason: string): CheckRecord => ({ id: 'R2.app', verdict, reason }) as CheckRecord
  const told = checked('inconclusive', 'may not list pods in namespace shop (as x)')
  const find = (checks: CheckRecord[], verdict: 'pass' | 'fail', lines: string[] = [], needed = true) =>
    findingOf(listPods, { checks, verdict }, lines, needed).wrong

  it('is told by an inconclusive check, or by the log of a green run', () => {
    expect(find([told], 'fail')).toEqual([])
    expect(find([], 'pass', ['warning: User "x" cannot list resource "pods" in API group ""'])).toEqual([])
    expect(find([], 'pass', [], false)).toEqual([])
  })

  it.each([
    ['nothing tells it: it is superfluous', find([], 'pass'), /^nothing told that it may not list pods/],
    ['another one is told', find([checked('inconclusive', 'may not list nodes in x')], 'fail'), /^nothing told/],
    ['something is called broken', find([told, checked('fail', 'no pod is Ready')], 'fail'), /^fail: no pod is Ready$/],
    ['the run is green all the same', find([told], 'pass'), /^the run: pass instead of fail/],
    [
      'the server does not ask for it, and it matters',
      find([told], 'fail', [], false),
      /^the run: fail instead of pass/,
    ],
  ])('does not hold where %s', (_what, wrong, problem) => {
    expect(wrong[0]).toMatch(problem)
  })

  it('that only a broken cluster uses is told beside what the fault makes red, and beside nothing else', () => {
    const watchLeases = missing.find(({ during }) => during === 'node stopped')
    if (watchLeases === undefined) throw new Error('no such right')
    const lease = { ...told, id: 'R1.lease', reason: 'may not watch leases.coordination.k8s.io in kube-node-lease' }
    const node = { id: 'R1.nodes', verdict: 'fail', reason: 'a Ready is Unknown (the kubelet stopped reporting)' }
    const wrong = (...checks: object[]): readonly string[] =>
      findingOf(watchLeases, { checks: checks as CheckRecord[], verdict: 'fail' }, [], true).wrong
    expect(wrong(lease, node)).toEqual([])
    expect(wrong(node)[0]).toMatch(/^nothing told that it may not watch leases/)
    expect(wrong(lease, node, checked('fail', 'no pod is Ready'))).toEqual(['fail: no pod is Ready'])
  })
})
