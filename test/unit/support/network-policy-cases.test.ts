import { describe, expect, it } from 'vitest'
import { differences, expectedVerdicts, patternOf } from '../../support/network-policy/expectation.ts'
import { flows } from '../../support/network-policy/fixture.ts'
import { networkPolicyCases, sampledNetworkPolicyCases } from '../../support/network-policy-cases.ts'

describe('the cases of NetworkPolicy', () => {
  it('have names of their own, and the sample is a part of them', () => {
    const names = networkPolicyCases.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(sampledNetworkPolicyCases).toHaveLength(6)
  })

  it.each(networkPolicyCases)('$name: every line speaks of some flow and decides one', ({ expected }) => {
    expected.forEach((line, i) => {
      expect(line).toMatch(/^(allow|deny) \S+ -> \S+$/)
      expect(
        flows.filter((flow) => patternOf(line).test(flow)),
        line,
      ).not.toEqual([])
      const without = expected.filter((_, k) => k !== i)
      expect(differences(expectedVerdicts(expected), expectedVerdicts(without)), line).not.toEqual([])
    })
  })

  it('tell each flow that is not as expected, and one that was not dialled', () => {
    const expected = expectedVerdicts(['deny * -> x/a:*'])
    const observed = new Map<string, string>(expected)
    expect(differences(expected, observed)).toEqual([])
    observed.set('y/a -> x/a:8080/TCP', 'refused')
    observed.set('x/a -> x/b:8080/TCP', 'timeout')
    observed.delete('z/a -> z/a:8080/UDP')
    expect(differences(expected, observed)).toEqual([
      'x/a -> x/b:8080/TCP timeout, not connected',
      'y/a -> x/a:8080/TCP refused, not timeout',
      'z/a -> z/a:8080/UDP not dialled, not connected',
    ])
  })

  it('never deny a pod itself or its own node', () => {
    const everything = expectedVerdicts(['deny * -> *'])
    expect([...everything].filter(([, verdict]) => verdict === 'connected').map(([flow]) => flow)).toEqual(
      expect.arrayContaining(['x/a -> x/a:8080/TCP', 'node1 -> x/a:8081/TCP', 'x/b -> x/b:80/service']),
    )
    expect(everything.get('node2 -> x/a:8080/TCP')).toBe('timeout')
    expect(everything.get('x/a -> dns:53/UDP')).toBe('timeout')
  })
})
