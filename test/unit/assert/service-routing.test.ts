import { describe, expect, it } from 'vitest'
import { runChecks } from '../../../src/assert/engine.ts'
import { triesFor } from '../../../src/assert/suites/service-identity.ts'
import { serviceRoutingChecks } from '../../../src/assert/suites/service-routing.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import type { CheckRecord } from '../../../src/report/record.ts'
import { testHost } from '../../support/test-host.ts'
import { expectRed } from './expect-red.ts'
import {
  type Answer,
  deployment,
  fakeFleet,
  fakeKubernetes,
  object,
  pod,
  service,
  slice,
  suiteEnvironment,
} from './fake-kubernetes.ts'

const probeService = service('probe', { ports: [{ port: 80 }] }, 'probes')
const probeSlice = slice('probe', { '10.244.0.9': true, '10.244.1.9': true }, 8080, 'probes')

async function run(objects: readonly KubeObject[], answer: Answer): Promise<Record<string, CheckRecord>> {
  const kubernetes = fakeKubernetes([probeService, probeSlice, ...objects])
  const fleet = fakeFleet(['a', 'b'], answer)
  const environment = suiteEnvironment(kubernetes, { fleet: async () => fleet })
  const records = await runChecks(testHost(), serviceRoutingChecks(environment), { timeoutMs: 20_000 })
  return Object.fromEntries(records.map((record) => [record.id, record]))
}

/** Round robin over the two probe pods for the ClusterIP, the right pod for pod addresses, everything connects. */
function healthy(): Answer {
  let turn = 0
  return (request) => {
    if (request.kind !== 'http') return { dial: 'connected' }
    const direct = /10\.244\.(\d)\.9/.exec(request.url)?.[1]
    const identity = `probe-${direct ?? turn++ % 2}`
    return { dial: 'connected', http: { status: 200, identity, body: '', bodySha256: '' } }
  }
}

const web = service('web', { selector: { app: 'web' }, ports: [{ name: 'http', port: 80 }] })
const webSlice = slice('web', { '10.244.1.5': true, '10.244.2.5': false })
const webPods = [pod('web-0', { labels: { app: 'web' } }), pod('web-1', { labels: { app: 'web' }, ready: false })]

describe('S1', () => {
  it('is green when ClusterIPs reach all that is ready and nothing else', async () => {
    const records = await run([web, webSlice, ...webPods], healthy())
    expect(Object.values(records).map(({ id, verdict }) => `${id} ${verdict}`)).toEqual([
      'S1.identity pass',
      'S1.endpoints pass',
      'S1.backends pass',
      'S1.cluster-ip pass',
    ])
    // Endpoints that are not ready are not dialled.
    expect(records['S1.backends']?.observations['dialled']).toEqual(['web-0 (10.244.1.5:8000) of Service web'])
  })

  it('tells a backend that is never reached from one that should not be', async () => {
    const answer: Answer = (request) =>
      request.kind === 'http'
        ? {
            dial: 'connected',
            http: {
              status: 200,
              identity: request.url.includes('10.96') ? 'probe-7' : 'probe-0',
              body: '',
              bodySha256: '',
            },
          }
        : { dial: 'connected' }
    const record = (await run([], answer))['S1.identity']
    expectRed(record, {
      turnsRed: 'S1.identity',
      reason: 'the ClusterIP never reached probe-0, probe-1 (from a, b)',
    })
    expect(record?.reason).toContain('the ClusterIP also reached probe-7 (from a, b)')
  })

  it('is red on the node whose dials fail, with the class', async () => {
    const answer: Answer = (request, probe) =>
      request.kind === 'tcp' && probe.node === 'b' && request.host === '10.244.1.5'
        ? { dial: 'refused' }
        : healthy()(request, probe)
    const records = await run([web, webSlice, ...webPods], answer)
    expect(records['S1.backends']).toMatchObject({
      verdict: 'fail',
      reason: 'web-0 (10.244.1.5:8000) of Service web: refused (from b)',
    })
    expect(records['S1.cluster-ip']).toMatchObject({ verdict: 'skipped', reason: 'needs S1.backends (fail)' })
  })

  it('is red for a ClusterIP that leads nowhere from one node, its backends connecting', async () => {
    const answer: Answer = (request, probe) =>
      request.kind === 'tcp' && probe.node === 'b' && request.host.startsWith('10.96.')
        ? { dial: 'timeout' }
        : healthy()(request, probe)
    const records = await run([web, webSlice, ...webPods], answer)
    expect(records['S1.backends']?.verdict).toBe('pass')
    expectRed(records['S1.cluster-ip'], {
      turnsRed: 'S1.cluster-ip',
      reason: /^Service web .*: timeout after .* \(from b\)$/,
    })
  })

  it('leaves a pod that a NetworkPolicy isolates to the policy suite', async () => {
    const policy = object('networking.k8s.io/v1', 'NetworkPolicy', 'deny', { spec: { podSelector: {} } })
    const answer: Answer = (request, probe) =>
      request.kind === 'tcp' ? { dial: 'timeout' } : healthy()(request, probe)
    const records = await run([web, webSlice, ...webPods, policy], answer)
    expect(records['S1.backends']).toMatchObject({ verdict: 'skipped' })
    expect(records['S1.backends']?.reason).toContain('NetworkPolicy deny selects it')
  })

  it('is inconclusive when a node’s records are lost', async () => {
    const kubernetes = fakeKubernetes([probeService, probeSlice])
    const fleet = fakeFleet(['a', 'b'], healthy())
    const lost = {
      ...fleet,
      probes: fleet.probes.map((probe) => ({ ...probe, run: () => Promise.reject(new Error('stream lost')) })),
    }
    const checks = serviceRoutingChecks(suiteEnvironment(kubernetes, { fleet: async () => lost }))
    const [record] = await runChecks(testHost(), checks, { timeoutMs: 20_000 })
    expect(record).toMatchObject({ verdict: 'inconclusive', reason: 'a: stream lost; b: stream lost' })
  })
})

describe('S1.endpoints', () => {
  const reasonFor = async (objects: readonly KubeObject[]): Promise<string> =>
    (await run(objects, healthy()))['S1.endpoints']?.reason ?? ''

  it('names the workload a mistyped selector meant', async () => {
    const wrong = service('web', { selector: { app: 'wep' }, ports: [{ port: 80 }] })
    expect(await reasonFor([wrong, deployment('web'), ...webPods])).toBe(
      'Service web: no ready endpoints: the selector app=wep matches no pod and no workload (Deployment web has app=web)',
    )
  })

  it('names the pod that is not Ready', async () => {
    expect(await reasonFor([web, deployment('web'), pod('web-1', { labels: { app: 'web' }, ready: false })])).toBe(
      'Service web: no ready endpoints: 1 pods match app=web, none is Ready (web-1: Running, not Ready: not yet)',
    )
  })

  it('names the port that no container has', async () => {
    const named = service('web', { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'htpp' }] })
    expect(await reasonFor([named, slice('web', { '10.244.1.5': true }, null), ...webPods])).toBe(
      'Service web: its endpoints have no port: no container has a port named htpp',
    )
  })

  it('is green for a workload scaled to zero on purpose', async () => {
    const zero = deployment('web', { replicas: 0 }, { replicas: 0 })
    expect(await reasonFor([web, zero])).toBe('1 Services; without endpoints on purpose: web')
  })
})

describe('the number of tries', () => {
  it.each([1, 2, 4, 10, 40])('misses none of %i backends but for one chance in a million', (n) => {
    const tries = triesFor(n)
    if (n > 1) expect(n * (1 - 1 / n) ** tries).toBeLessThan(1.01e-6)
    expect(tries).toBeLessThanOrEqual(1_000)
  })
})
