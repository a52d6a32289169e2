import { describe, expect, it } from 'vitest'
import { createBatcher, type Deliver, parseRecords } from '../../../src/assert/probe-batch.ts'
import type { ProbeBatch, ProbeRequest } from '../../../src/probe/protocol.ts'
import { testHost } from '../../support/test-host.ts'

const request = (id: string, timeoutMs = 100): ProbeRequest => ({ kind: 'tcp', id, host: 'x', port: 1, timeoutMs })
const records = (batch: ProbeBatch, ids = batch.requests.map(({ id }) => id)): string =>
  ids.map((id) => `${batch.nonce} ${JSON.stringify({ id, dial: 'connected', elapsedMs: 1 })}\n`).join('')
const whole = (batch: ProbeBatch): { stdout: string; stderr: string; status: { exitCode: number } } => ({
  stdout: records(batch),
  stderr: '',
  status: { exitCode: 0 },
})

describe('probe batches', () => {
  it('sends what several checks ask at once in one exec, and gives each its own', async () => {
    const batches: number[] = []
    const runner = createBatcher(testHost(), 'pod p', async (batch) => {
      batches.push(batch.requests.length)
      return whole(batch)
    })
    const [one, two] = await Promise.all([runner.run([request('a'), request('b')]), runner.run([request('a')])])
    expect(batches).toEqual([3])
    expect(one.map(({ id }) => id)).toEqual(['a', 'b'])
    expect(two.map(({ id }) => id)).toEqual(['a'])
  })

  it('keeps slow requests from holding up the others', async () => {
    const runner = createBatcher(testHost(), 'pod p', async (batch) => {
      if (batch.requests.some(({ timeoutMs }) => timeoutMs > 5_000)) await new Promise(() => {})
      return whole(batch)
    })
    void runner.run([request('live', 10_000)])
    expect((await runner.run([request('a')]))[0]?.dial).toBe('connected')
  })

  it('sends again only what was lost', async () => {
    const sent: string[][] = []
    const deliver: Deliver = async (batch) => {
      sent.push(batch.requests.map(({ id }) => id))
      const ids = batch.requests.map(({ id }) => id)
      return sent.length === 1 ? { stdout: records(batch, ids.slice(0, 1)), stderr: '', status: null } : whole(batch)
    }
    const results = await createBatcher(testHost(), 'pod p', deliver).run([request('a'), request('b')])
    expect(sent).toEqual([['0/a', '0/b'], ['0/b']])
    expect(results.map(({ id }) => id)).toEqual(['a', 'b'])
  })

  it('is inconclusive, never a result, when the stream is lost again and again', async () => {
    // Exit code 0 and no record: what kubectl exec gives when the stream dies.
    const lost: Deliver = async () => ({ stdout: '', stderr: '', status: { exitCode: 0 } })
    await expect(createBatcher(testHost(), 'pod p', lost).run([request('a')])).rejects.toMatchObject({
      name: 'LostError',
      code: 'INCONCLUSIVE',
      message: 'pod p: 1 of 1 probe records did not come back: the stream was not whole',
    })
    const refused: Deliver = () => Promise.reject(new Error('no route to kubelet'))
    await expect(createBatcher(testHost(), 'pod p', refused).run([request('a')])).rejects.toThrow('no route to kubelet')
  })

  it('believes only whole lines with its own nonce', () => {
    const good = '{"id":"a","dial":"connected","elapsedMs":1}'
    const stdout = `noise\nother ${good}\nn1 ${good}\nn1 {"end":1}\nn1 {"id":"b","dial":"conn`
    expect(parseRecords(stdout, 'n1').map(({ id }) => id)).toEqual(['a'])
  })
})
