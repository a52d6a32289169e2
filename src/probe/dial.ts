import net from 'node:net'
import type { DialClass, ProbeResult, TcpRequest } from './protocol.ts'

/** What a probe tells, before its id and duration are added. */
export type Outcome = Omit<ProbeResult, 'id' | 'elapsedMs'>

const classes: Readonly<Record<string, DialClass>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
  ABORT_ERR: 'timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  EAI_NODATA: 'dns',
  EAI_NONAME: 'dns',
}

/** Sorts an error of a socket, of a name lookup or of a request into a class. */
export function classify(error: unknown): { dial: DialClass; detail: string } {
  // Happy eyeballs gathers one error per address; the last one is as good as any.
  const one = error instanceof AggregateError ? (error.errors.at(-1) ?? error) : error
  const code = String((one as NodeJS.ErrnoException | undefined)?.code ?? '')
  const message = one instanceof Error ? one.message : String(one)
  return { dial: classes[code] ?? 'error', detail: message.length > 0 ? message : code }
}

export function probeTcp(request: TcpRequest): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: request.host, port: request.port })
    const finish = (outcome: Outcome): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(outcome)
    }
    const timer = setTimeout(
      () => finish({ dial: 'timeout', detail: `no answer within ${request.timeoutMs} ms` }),
      request.timeoutMs,
    )
    socket.on('connect', () => finish({ dial: 'connected' }))
    socket.on('error', (error) => finish(classify(error)))
  })
}
