import { readFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import type { Clock } from '../process/clock.ts'
import { deadlineSignal } from '../process/deadline.ts'
import { InputError, messageOf, ToolkitError } from '../process/errors.ts'
import { type ApiCause, ApiError } from './api-error.ts'

export interface ApiRequest {
  readonly method: string
  readonly path: string
  readonly body?: string
  readonly contentType?: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** The HTTP connection to one API server, with whatever authentication the kubeconfig asks for. */
export interface Transport {
  /** Body of a 2xx answer as text; rejects with ApiError for any other, with ToolkitError when the server cannot be reached. */
  request(request: ApiRequest): Promise<{ body: string; date: Date | undefined }>
  /** Calls back for each line of a 2xx answer until it ends or the signal is aborted. */
  stream(request: Omit<ApiRequest, 'timeoutMs'>, onLine: (line: string) => void): Promise<void>
  readonly config: KubeConfig
}

/** How long prepared credentials are used before the kubeconfig is asked again: exec plugins hand out short-lived tokens. */
const credentialsMs = 60_000

/**
 * @throws InputError when the file cannot be read or has no such context.
 */
export async function createTransport(clock: Clock, file: string, context: string | undefined): Promise<Transport> {
  // 6 MB of generated API classes come along: loaded only where a cluster is spoken to.
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  try {
    config.loadFromString(await readFile(file, 'utf8'))
  } catch (error) {
    throw new InputError(
      [
        {
          name: 'kubeconfig',
          value: file,
          problem: `cannot be read: ${messageOf(error)}`,
          allowed: 'path of a kubeconfig file',
        },
      ],
      { cause: error },
    )
  }
  if (context !== undefined) {
    const known = config.getContexts().map((entry) => entry.name)
    if (!known.includes(context)) {
      throw new InputError([
        {
          name: 'context',
          value: context,
          problem: 'is not in the kubeconfig',
          allowed: known.join(', ') || 'none defined',
        },
      ])
    }
    config.setCurrentContext(context)
  }
  const cluster = config.getCurrentCluster()
  if (cluster === null) {
    throw new InputError([{ name: 'kubeconfig', value: file, problem: 'has no current context with a cluster' }])
  }
  const server = new URL(cluster.server)
  let prepared: { options: Promise<https.RequestOptions>; until: number } | undefined

  /** Many calls may ask at once: they share one preparation. */
  function credentials(): Promise<https.RequestOptions> {
    if (prepared === undefined || clock.monotonic() > prepared.until) {
      const last = prepared?.options
      const options = prepare(last)
      prepared = { options, until: clock.monotonic() + credentialsMs }
      options.catch(() => {
        prepared = undefined
      })
    }
    return prepared.options
  }

  async function prepare(last: Promise<https.RequestOptions> | undefined): Promise<https.RequestOptions> {
    const options: https.RequestOptions = {}
    await config.applyToHTTPSOptions(options)
    // One TLS handshake for many calls; the library's agents do not keep connections.
    keepConnections(options.agent, true)
    // The calls that are under way on the old connections go on; only then those close.
    if (last !== undefined) keepConnections((await last).agent, false)
    return options
  }

  async function open(request: Omit<ApiRequest, 'timeoutMs'>): Promise<http.IncomingMessage> {
    const options = await credentials()
    const url = new URL(request.path, server)
    if (server.pathname.length > 1) url.pathname = `${server.pathname.replace(/\/$/, '')}${url.pathname}`
    return new Promise((resolve, reject) => {
      const send = server.protocol === 'http:' ? http.request : https.request
      const outgoing = send(url, {
        ...options,
        method: request.method,
        signal: request.signal,
        headers: {
          ...options.headers,
          accept: 'application/json, */*;q=0.1',
          'user-agent': 'k8s-platform',
          ...(request.body === undefined
            ? {}
            : {
                'content-type': request.contentType ?? 'application/json',
                'content-length': String(Buffer.byteLength(request.body)),
              }),
        },
      })
      outgoing.on('response', resolve)
      outgoing.on('error', (error) =>
        reject(outgoing.reusedSocket ? Object.assign(error, { reusedSocket: true }) : error),
      )
      outgoing.end(request.body)
    })
  }

  return {
    config,
    async request(request) {
      const signal = AbortSignal.any([request.signal, deadlineSignal(request.timeoutMs)])
      // An idle connection that the server closes just as we use it resets before the server has seen the request: one fresh try is safe.
      for (let attempt = 1; ; attempt++) {
        try {
          const response = await open({ ...request, signal })
          const body = await text(response)
          if (!isSuccess(response)) throw apiError(request, response, body)
          const date = response.headers.date === undefined ? undefined : new Date(response.headers.date)
          return { body, date }
        } catch (error) {
          if (error instanceof ApiError) throw error
          if (attempt === 1 && !signal.aborted && isReset(error) && (request.method === 'GET' || wasReused(error)))
            continue
          throw unreachable(request, server, error)
        }
      }
    },
    async stream(request, onLine) {
      let response: http.IncomingMessage
      try {
        response = await open(request)
      } catch (error) {
        if (request.signal.aborted) return
        throw unreachable(request, server, error)
      }
      if (!isSuccess(response)) throw apiError(request, response, await text(response))
      let rest = ''
      response.setEncoding('utf8')
      try {
        for await (const chunk of response) {
          const lines = (rest + chunk).split('\n')
          rest = lines.pop() ?? ''
          for (const line of lines) if (line.length > 0) onLine(line)
        }
      } catch (error) {
        if (!request.signal.aborted && !isReset(error)) throw unreachable(request, server, error)
      }
    },
  }
}

function keepConnections(agent: https.RequestOptions['agent'], keepAlive: boolean): void {
  if (!(agent instanceof http.Agent)) return
  Object.assign(agent, { keepAlive })
  Object.assign((agent as unknown as { options: object }).options, { keepAlive })
  if (keepAlive) return
  for (const idle of Object.values(agent.freeSockets)) for (const socket of idle ?? []) socket.destroy()
}

function isSuccess(response: http.IncomingMessage): boolean {
  return response.statusCode !== undefined && response.statusCode >= 200 && response.statusCode < 300
}

async function text(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function isReset(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  return code === 'ECONNRESET' || code === 'EPIPE' || (error instanceof Error && error.message === 'aborted')
}

/** On a kept connection, as Node marks the request (http.ClientRequest.reusedSocket). */
function wasReused(error: unknown): boolean {
  return (error as { reusedSocket?: boolean } | undefined)?.reusedSocket === true
}

function apiError(request: { method: string; path: string }, response: http.IncomingMessage, body: string): ApiError {
  const status = response.statusCode ?? 0
  let reason = response.statusMessage ?? ''
  let message = body.slice(0, 2_000)
  let causes: readonly ApiCause[] = []
  try {
    const parsed = JSON.parse(body) as {
      reason?: string
      message?: string
      details?: { causes?: readonly ApiCause[] }
    }
    reason = parsed.reason ?? reason
    message = parsed.message ?? message
    causes = parsed.details?.causes ?? []
  } catch {
    // Not a Status object (a proxy, an aggregated server): the text itself is the best there is.
  }
  return new ApiError(`${request.method} ${request.path}`, status, reason, message, causes)
}

function unreachable(request: { method: string; path: string }, server: URL, error: unknown): ToolkitError {
  return new ToolkitError(`${request.method} ${request.path}: ${messageOf(error)}`, {
    code: 'KUBERNETES_UNREACHABLE',
    hint: `Is the API server at ${server.host} up, and is this the right kubeconfig?`,
    cause: error,
  })
}
