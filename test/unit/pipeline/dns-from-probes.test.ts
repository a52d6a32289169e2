import { expect, it } from 'vitest'
import type { Fleet } from '../../../src/assert/probe-pods.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { dnsFromProbes } from '../../../src/pipeline/dns-from-probes.ts'
import type { ProbeRequest, ProbeResult } from '../../../src/probe/protocol.ts'
import { testHost } from '../../support/test-host.ts'
import { type Answer, fakeFleet, fakeKubernetes } from '../assert/fake-kubernetes.ts'

const request = { nodes: ['a', 'b'], image: 'busybox' }

const answer = (question: ProbeRequest, answers: readonly string[], rcode = 'NOERROR'): ReturnType<Answer> => ({
  dial: 'connected',
  dns: {
    name: question.kind === 'dns' ? question.name : '',
    rcode,
    answers,
    aliases: [],
    server: '',
    truncated: false,
  },
})
/** A cluster of IPv6 has no A record, and that is no fault. */
const right: Answer = (question) => answer(question, question.id === 'v6' ? ['fd00::1'] : [])

/** The outcome, and the nodes on which the gate made pods of its own. */
async function ask(
  fleet: Promise<Fleet>,
  { timeoutMs = 300, signal = new AbortController().signal } = {},
): Promise<{ error: unknown; own: string[] }> {
  const own: string[] = []
  const kubernetes = {
    ...fakeKubernetes([]),
    create: async (pod: KubeObject) => {
      own.push(pod['spec'].nodeName)
      return pod
    },
  }
  const error = await dnsFromProbes(fleet)(testHost({ signal }), kubernetes, { ...request, timeoutMs }).catch(
    (thrown: unknown) => thrown,
  )
  return { error, own }
}

it('needs no pods of its own where a probe on every node gets an answer, also a late one', async () => {
  let looks = 0
  const late: Answer = (question, probe) =>
    probe.node === 'b' && looks++ < 2 ? answer(question, [], 'SERVFAIL') : right(question, probe)
  const fleet = Promise.resolve(fakeFleet(['a', 'b'], late))
  expect(await ask(fleet, { timeoutMs: 30_000 })).toEqual({ error: undefined, own: [] })
})

it('names the nodes without an answer', async () => {
  const broken: Answer = (question, probe) => (probe.node === 'b' ? { dial: 'timeout' } : right(question, probe))
  const { error, own } = await ask(Promise.resolve(fakeFleet(['a', 'b'], broken)))
  expect(error).toMatchObject({ code: 'DNS_NOT_READY', message: expect.stringContaining('b: timeout') })
  expect(own).toEqual([])
})

it.each([
  ['there is none on one node', async () => fakeFleet(['a'], right, [{ node: 'b', reason: 'Pending' }])],
  ['there are none', async () => Promise.reject(new Error('no rights'))],
  ['they do not come in time', () => new Promise<Fleet>(() => {})],
  ['one was lost', async () => lostFleet()],
])('asks from pods of its own where probes cannot tell, as %s', async (_why, fleet) => {
  const { error, own } = await ask(fleet())
  // The pods of this cluster never answer.
  expect(error).toMatchObject({ code: 'DNS_NOT_READY' })
  expect(own).toEqual(['a', 'b'])
})

function lostFleet(): Fleet {
  const fleet = fakeFleet(['a', 'b'], right)
  const run = (): Promise<ProbeResult[]> => Promise.reject(new Error('the exec stream ended'))
  return { ...fleet, probes: fleet.probes.map((probe) => ({ ...probe, run })) }
}

it('ends with the gate', async () => {
  const stop = new AbortController()
  const asked = ask(new Promise<Fleet>(() => {}), { timeoutMs: 60_000, signal: stop.signal })
  stop.abort()
  expect((await asked).error).toBeInstanceOf(Error)
})
