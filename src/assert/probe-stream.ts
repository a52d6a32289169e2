import { PassThrough } from 'node:stream'
import type { ExecOptions, ExecResult } from '../kubernetes/client.ts'
import type { ProbeBatch } from '../probe/protocol.ts'
import type { Deliver } from './probe-batch.ts'

/** Starts the program that takes batches; resolves when its stream has ended, for whatever reason. */
export type StartProgram = (
  streams: Required<Pick<ExecOptions, 'onStdout' | 'signal'>> & { readonly stdin: AsyncIterable<string> },
) => Promise<ExecResult>

/** One program that is being asked. */
interface Stream {
  /** Resolves with what the program said to this batch until it was done with it, or until `signal`, or the stream, ended. */
  ask(batch: ProbeBatch, timeoutMs: number): Promise<ExecResult>
}

/**
 * Delivers batches to one program that goes on running: to start one in a pod costs the node more than most of what it is asked. A stream that ended, broke or
 * did not answer in time is given up with all that was under way on it, and the next batch starts another.
 */
export function streamedDelivery(start: StartProgram, end: AbortSignal): Deliver {
  let current: Stream | undefined
  return async (batch, timeoutMs) => {
    if (current === undefined) {
      const opened: Stream = openStream(start, end, () => {
        if (current === opened) current = undefined
      })
      current = opened
    }
    return await current.ask(batch, timeoutMs)
  }
}

function openStream(start: StartProgram, end: AbortSignal, onGone: () => void): Stream {
  const stop = new AbortController()
  const stdin = new PassThrough({ objectMode: true })
  const listeners = new Set<(line: string) => void>()
  let rest = ''
  const onStdout = (piece: string): void => {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) for (const listen of listeners) listen(line)
  }
  const ended = start({ stdin, onStdout, signal: AbortSignal.any([stop.signal, end]) }).finally(() => {
    onGone()
    stdin.end()
  })
  // Whoever asks is told.
  ended.catch(() => {})
  return {
    async ask(batch, timeoutMs) {
      let said = ''
      const whole = Promise.withResolvers<ExecResult>()
      const listen = (line: string): void => {
        if (!line.startsWith(`${batch.nonce} `)) return
        said += `${line}\n`
        if (line.startsWith(`${batch.nonce} {"end":`))
          whole.resolve({ stdout: said, stderr: '', status: { exitCode: 0 } })
      }
      const tooLate = setTimeout(() => {
        onGone()
        stop.abort()
      }, timeoutMs)
      listeners.add(listen)
      stdin.write(`${JSON.stringify(batch)}\n`)
      try {
        return await Promise.race([whole.promise, ended.then((result) => ({ ...result, stdout: said }))])
      } finally {
        clearTimeout(tooLate)
        listeners.delete(listen)
      }
    },
  }
}
