import { describe, expect, it } from 'vitest'
import { LostError, runChecks } from '../../../src/assert/engine.ts'
import { mergeNodes } from '../../../src/assert/per-node.ts'
import { dnsChecks } from '../../../src/assert/suites/dns.ts'
import { reverseName } from '../../../src/assert/suites/dns-questions.ts'
import { candidates, parseResolvConf } from '../../../src/probe/dns.ts'
import type { DnsAnswer, DnsRequest } from '../../../src/probe/protocol.ts'
import type { CheckRecord } from '../../../src/report/record.ts'
import { testHost } from '../../support/test-host.ts'
import { expectRed } from './expect-red.ts'
import { fakeFleet, fakeKubernetes, service, slice, suiteEnvironment } from './fake-kubernetes.ts'

const base = [
  service('kubernetes', { clusterIP: '10.96.0.1' }, 'default'),
  service('kube-dns', { clusterIP: '10.96.0.10' }, 'kube-system'),
  slice('kube-dns', { '10.244.0.2': true }, 53, 'kube-system'),
  service('probe', { clusterIP: '10.96.0.7' }, 'probes'),
  service('probe-headless', { clusterIP: 'None' }, 'probes'),
  slice('probe-headless', { '10.244.0.9': true, '10.244.1.9': true, '10.244.2.9': false }, 8080, 'probes'),
  service('web', { clusterIP: '10.96.0.8' }),
].map((one) =>
  one.metadata.name === 'kube-dns-x' ? { ...one, ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] } : one,
)

const zone: Readonly<Record<string, readonly string[]>> = {
  'A kubernetes.default.svc.cluster.local': ['10.96.0.1'],
  'A probe.probes.svc.cluster.local': ['10.96.0.7'],
  'A web.shop.svc.cluster.local': ['10.96.0.8'],
  'A probe-headless.probes.svc.cluster.local': ['10.244.0.9', '10.244.1.9'],
  'A probe-external.probes.svc.cluster.local': ['10.96.0.1'],
  'SRV _http._tcp.probe.probes.svc.cluster.local': ['0 100 80 probe.probes.svc.cluster.local'],
  'SRV _http._tcp.probe-headless.probes.svc.cluster.local': [
    '0 50 8080 probe-headless-0.probe-headless.probes.svc.cluster.local',
    '0 50 8080 probe-headless-1.probe-headless.probes.svc.cluster.local',
  ],
  'PTR 7.0.96.10.in-addr.arpa': ['probe.probes.svc.cluster.local'],
  'PTR 9.0.244.10.in-addr.arpa': [
    '10-244-0-9.probe.probes.svc.cluster.local',
    'probe-headless-0.probe-headless.probes.svc.cluster.local',
  ],
  'PTR 9.1.244.10.in-addr.arpa': ['probe-headless-1.probe-headless.probes.svc.cluster.local'],
}

/** Answers from the zone, with the search domains of a pod in namespace `probes`. */
function resolve(request: DnsRequest): DnsAnswer {
  const search = ['probes.svc.cluster.local', 'svc.cluster.local', 'cluster.local']
  const names = request.search ? candidates(request.name, { search, ndots: 5 }) : [request.name]
  const name = names.find((one) => zone[`${request.type} ${one}`] !== undefined) ?? names.at(-1) ?? ''
  const answers = zone[`${request.type} ${name}`] ?? []
  return {
    name,
    answers,
    rcode: answers.length === 0 ? 'NXDOMAIN' : 'NOERROR',
    aliases: name.startsWith('probe-external') ? ['kubernetes.default.svc.cluster.local'] : [],
    server: '10.96.0.10:53',
    truncated: false,
  }
}

type Change = (request: DnsRequest, node: string) => Partial<DnsAnswer> | 'timeout' | undefined

async function run(change: Change = () => undefined): Promise<Record<string, CheckRecord>> {
  const fleet = fakeFleet(['a', 'b'], (request, probe) => {
    if (request.kind !== 'dns') throw new Error('only DNS here')
    const changed = change(request, probe.node)
    return changed === 'timeout' ? { dial: 'timeout' } : { dial: 'connected', dns: { ...resolve(request), ...changed } }
  })
  const checks = dnsChecks(suiteEnvironment(fakeKubernetes(base), { fleet: async () => fleet }))
  const records = await runChecks(testHost(), checks, { timeoutMs: 20_000 })
  return Object.fromEntries(records.map((record) => [record.id, record]))
}
const verdicts = (records: Record<string, CheckRecord>): string[] =>
  Object.values(records)
    .filter(({ verdict }) => verdict !== 'pass')
    .map(({ id, verdict }) => `${id} ${verdict}`)

describe('D1', () => {
  it('is green when every answer is what the API says', async () => {
    const records = await run()
    expect(verdicts(records)).toEqual([])
    expect(records['D1.service']?.reason).toBe('2 names right over UDP and TCP from 2 nodes')
  })

  it.each([
    {
      turnsRed: 'D1.headless',
      question: 'A probe-headless.probes',
      answer: { answers: ['10.244.0.9'] },
      reason: '10.244.0.9 instead of 10.244.0.9, 10.244.1.9',
    },
    {
      turnsRed: 'D1.headless',
      question: 'A probe-headless.probes',
      answer: { answers: ['10.244.0.9', '10.244.1.9', '10.244.2.9'] },
      reason: 'instead of 10.244.0.9, 10.244.1.9',
    },
    {
      turnsRed: 'D1.service',
      question: 'A web.',
      answer: { answers: [], rcode: 'NXDOMAIN' },
      reason: 'NXDOMAIN instead of 10.96.0.8',
    },
    {
      turnsRed: 'D1.external-name',
      question: 'A probe-external',
      answer: { aliases: [] },
      reason: 'no CNAME kubernetes.default.svc.cluster.local',
    },
    {
      turnsRed: 'D1.srv',
      question: 'SRV _http._tcp.probe.',
      answer: { answers: ['0 100 81 probe.probes.svc.cluster.local'] },
      reason: 'instead of 80 probe.probes',
    },
    {
      turnsRed: 'D1.ptr',
      question: 'PTR 9.1',
      answer: { answers: ['other.example.com'] },
      reason: 'other.example.com instead of probe-headless-1.',
    },
  ])('$turnsRed alone is red when $question is answered wrong', async ({ question, answer, ...planted }) => {
    const records = await run((request) =>
      !request.search && `${request.type} ${request.name}`.startsWith(question) ? answer : undefined,
    )
    expect(verdicts(records)).toEqual([`${planted.turnsRed} fail`])
    expectRed(records[planted.turnsRed], planted)
    expect(records[planted.turnsRed]?.reason).toContain('over UDP and TCP')
  })

  it('D1.search alone is red when a partial name does not resolve', async () => {
    const records = await run((request) =>
      request.search && request.name === 'probe.probes' ? { answers: [], rcode: 'NXDOMAIN' } : undefined,
    )
    expect(verdicts(records)).toEqual(['D1.search fail'])
    expectRed(records['D1.search'], {
      turnsRed: 'D1.search',
      reason: 'A probe.probes over UDP and TCP: NXDOMAIN instead of 10.96.0.7',
    })
  })

  it('sees that only TCP fails, and from which node', async () => {
    const records = await run((request, node) =>
      request.name.startsWith('web.') && request.transport === 'tcp' && node === 'b' ? 'timeout' : undefined,
    )
    expect(records['D1.service']?.reason).toBe('A web.shop.svc.cluster.local over TCP: timeout after 2.0 s (from b)')
  })

  it('is inconclusive, and marked as lost, when one node’s records do not come back', async () => {
    const records = await run((request, node) => {
      if (request.name.startsWith('web.') && node === 'b') throw new LostError('the exec stream ended')
      return undefined
    })
    expect(records['D1.service']).toMatchObject({
      verdict: 'inconclusive',
      reason: 'b: the exec stream ended',
      lost: true,
    })
    expect(records['D1.ptr']).not.toHaveProperty('lost')
  })

  it('finds the one server of several that does not answer, and blames nothing else', async () => {
    const records = await run((request) => (request.server?.address === '10.244.0.2' ? 'timeout' : undefined))
    expect(records['D1.servers']?.reason).toContain('A kubernetes.default.svc.cluster.local of 10.244.0.2')
    expect(verdicts(records).filter((line) => line.endsWith('fail'))).toEqual(['D1.servers fail'])
    expect(records['D1.srv']).toMatchObject({ verdict: 'skipped', reason: 'needs D1.servers (fail)' })
  })
})

describe('names', () => {
  it.each([
    ['10.0.0.1', '1.0.0.10.in-addr.arpa'],
    ['fd00::7', '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa'],
    ['2001:db8:1:2:3:4:5:6', '6.0.0.0.5.0.0.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa'],
  ])('%s is asked as %s', (address, name) => expect(reverseName(address)).toBe(name))

  it('are searched as the C library does', () => {
    const conf = parseResolvConf(
      'nameserver 10.96.0.10\nsearch x.y\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:5 edns0\n',
    )
    expect(conf).toEqual({
      nameservers: ['10.96.0.10'],
      search: ['ns.svc.cluster.local', 'svc.cluster.local'],
      ndots: 5,
    })
    expect(candidates('probe', conf)).toEqual(['probe.ns.svc.cluster.local', 'probe.svc.cluster.local', 'probe'])
    expect(candidates('a.b.c.d.e.f', conf)[0]).toBe('a.b.c.d.e.f')
    expect(candidates('probe.', conf)).toEqual(['probe.'])
  })

  it('merges the same finding of several nodes into one line', () => {
    expect(mergeNodes(['from a: x', 'from b: x', 'from a: y', 'z'])).toEqual(['x (from a, b)', 'y (from a)', 'z'])
  })
})
