import { expect, it } from 'vitest'
import { parseRecords } from '../../../src/assert/probe-batch.ts'
import { type StartProgram, streamedDelivery } from '../../../src/assert/probe-stream.ts'
import type { ExecResult } from '../../../src/kubernetes/client.ts'
import type { ProbeBatch } from '../../../src/probe/protocol.ts'

const batch = (nonce: string): ProbeBatch => ({
  nonce,
  requests: [{ kind: 'tcp', id: nonce, host: 'x', port: 1, timeoutMs: 100 }],
})
const record = (nonce: string): string => `${nonce} {"id":"${nonce}","dial":"connected","elapsedMs":1}\n`
const lost: ExecResult = { stdout: '', stderr: 'gone', status: null }
const never = new AbortController().signal

/** A program in a pod: `answer` gets each batch and how to say something. Ends with its input, or its signal. */
function program(answer: (batch: ProbeBatch, say: (text: string) => void) => void): {
  readonly start: StartProgram
  readonly started: () => number
  /** Loses the stream that was opened last. */
  readonly lose: () => void
} {
  let started = 0
  let lose = (): void => {}
  const start: StartProgram = ({ stdin, onStdout, signal }) => {
    started += 1
    const ended = Promise.withResolvers<ExecResult>()
    lose = () => ended.resolve(lost)
    signal.addEventListener('abort', () => ended.resolve(lost))
    void (async () => {
      for await (const line of stdin) answer(JSON.parse(line) as ProbeBatch, onStdout)
      ended.resolve({ stdout: '', stderr: '', status: { exitCode: 0 } })
    })()
    return ended.promise
  }
  return { start, started: () => started, lose: () => lose() }
}

it('asks one program again and again, several things at once, and gives each its own', async () => {
  const asked: string[] = []
  const { start, started } = program(({ nonce }, say) => {
    asked.push(nonce)
    if (asked.length < 2) return
    // Cut anywhere, and mixed.
    say(`${record('a')}b {"id":"b","di`)
    say(`al":"connected","elapsedMs":1}\nb {"end":1}\na {"end":1}\n`)
  })
  const deliver = streamedDelivery(start, never)
  const [a, b] = await Promise.all([deliver(batch('a'), 1_000), deliver(batch('b'), 1_000)])
  expect(parseRecords(a.stdout, 'a').map(({ id }) => id)).toEqual(['a'])
  expect(parseRecords(b.stdout, 'b').map(({ id }) => id)).toEqual(['b'])
  expect([a.status, b.status]).toEqual([{ exitCode: 0 }, { exitCode: 0 }])
  expect(started()).toBe(1)
})

it('has no verdict on what was under way when the stream was lost, and starts another for what comes next', async () => {
  const { start, started, lose } = program(({ nonce }, say) => {
    say(record(nonce))
    if (nonce !== 'a') say(`${nonce} {"end":1}\n`)
  })
  const deliver = streamedDelivery(start, never)
  const first = deliver(batch('a'), 1_000)
  setImmediate(lose)
  expect(await first).toEqual({ stdout: record('a'), stderr: 'gone', status: null })
  expect((await deliver(batch('b'), 1_000)).status).toEqual({ exitCode: 0 })
  expect(started()).toBe(2)
})

it('has no verdict when no end came in time, and trusts that stream no more', async () => {
  const { start, started } = program(({ nonce }, say) => {
    if (nonce !== 'a') say(`${nonce} {"end":1}\n`)
  })
  const deliver = streamedDelivery(start, never)
  expect((await deliver(batch('a'), 20)).status).toBeNull()
  expect((await deliver(batch('b'), 1_000)).status).toEqual({ exitCode: 0 })
  expect(started()).toBe(2)
})

it('ends with the run, and tells why no program could be started', async () => {
  const end = new AbortController()
  const { start } = program(() => {})
  const asked = streamedDelivery(start, end.signal)(batch('a'), 60_000)
  end.abort()
  expect((await asked).status).toBeNull()
  const refused: StartProgram = () => Promise.reject(new Error('no route to kubelet'))
  await expect(streamedDelivery(refused, never)(batch('a'), 1_000)).rejects.toThrow('no route to kubelet')
})
