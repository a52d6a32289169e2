import type { KubeConfig } from '@kubernetes/client-node'
import type { ClientOptions, WebSocket } from 'ws'
import { deadlineSignal } from '../process/deadline.ts'
import { messageOf, ToolkitError } from '../process/errors.ts'
import { ApiError } from './api-error.ts'
import type { ExecOptions, ExecResult } from './client.ts'

interface Status {
  readonly status?: string
  readonly message?: string
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] }
}

/** Channels of the remote command protocol: the first byte of each frame. Source: k8s.io/apimachinery/pkg/util/remotecommand. */
const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, close: 255 } as const
/** v5 is the first that can half-close stdin (Kubernetes 1.30); with v4 a program reads no end of file. */
const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
/** Most that is kept of both streams: a runaway program must not fill our memory. */
const maxOutput = 16 * 1024 * 1024
const stdinChunk = 64 * 1024
const goodbyeMs = 1_000

/**
 * Runs a program in a container over the API server's WebSocket. Resolves with `status: null` when the stream ended or the deadline passed without the
 * server's verdict: the caller decides, and must not call that success.
 * @throws ApiError when we may not, ToolkitError EXEC_FAILED when no stream could be opened for another reason.
 */
export async function execInPod(config: KubeConfig, options: ExecOptions, cancel: AbortSignal): Promise<ExecResult> {
  const { WebSocket } = await import('ws')
  const server = config.getCurrentCluster()?.server ?? ''
  const query = new URLSearchParams({ stdout: 'true', stderr: 'true', stdin: String(options.stdin !== undefined) })
  if (options.container !== undefined) query.set('container', options.container)
  for (const part of options.command) query.append('command', part)
  const url = `${server.replace(/^http/, 'ws').replace(/\/$/, '')}/api/v1/namespaces/${encodeURIComponent(options.namespace)}/pods/${encodeURIComponent(options.pod)}/exec?${query}`
  const socketOptions: ClientOptions = {}
  await config.applyToHTTPSOptions(socketOptions)

  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  let size = 0
  let status: ExecResult['status'] = null
  const keep = (chunks: Buffer[], data: Buffer): void => {
    size += data.length
    if (size <= maxOutput) chunks.push(data)
  }
  const given = options.signal === undefined ? [] : [options.signal]
  const deadline = AbortSignal.any([cancel, ...given, deadlineSignal(options.timeoutMs)])
  const decoder = new TextDecoder()
  const onStdout = (data: Buffer): void => {
    if (options.onStdout === undefined) keep(stdout, data)
    else options.onStdout(decoder.decode(data, { stream: true }))
  }

  await new Promise<void>((resolve, reject) => {
    const socket = new WebSocket(url, protocols, socketOptions)
    let opened = false
    const end = (): void => {
      deadline.removeEventListener('abort', end)
      socket.close()
      // A node that vanished never answers the close: do not keep the process alive for it.
      setTimeout(() => socket.terminate(), goodbyeMs).unref()
      resolve()
    }
    deadline.addEventListener('abort', end, { once: true })
    if (deadline.aborted) end()
    socket.on('open', () => {
      opened = true
      if (options.stdin !== undefined) passStdin(socket, options.stdin).catch(end)
    })
    socket.on('message', (frame: Buffer) => {
      const data = frame.subarray(1)
      if (frame[0] === channel.stdout) onStdout(data)
      else if (frame[0] === channel.stderr) keep(stderr, data)
      else if (frame[0] === channel.status) status = verdict(JSON.parse(data.toString('utf8')) as Status, stderr)
    })
    socket.on('unexpected-response', (_request, response) => {
      const body: Buffer[] = []
      response.on('data', (chunk: Buffer) => body.push(chunk))
      response.on('end', () => {
        reject(refusal(options, response.statusCode ?? 0, Buffer.concat(body).toString('utf8')))
        end()
      })
    })
    socket.on('error', (error) => {
      // After the stream was open an error means a lost stream: no status, which the caller must see.
      if (!opened && !deadline.aborted) reject(execError(options, messageOf(error), error))
      end()
    })
    socket.on('close', end)
  })
  return { stdout: Buffer.concat(stdout).toString('utf8'), stderr: Buffer.concat(stderr).toString('utf8'), status }
}

/** Not allowed is a fact about us, not about the pod: callers tell it apart by its class. */
function refusal(options: ExecOptions, status: number, body: string): ToolkitError {
  if (status !== 401 && status !== 403) return execError(options, `${status} ${body.slice(0, 500)}`)
  const { reason = '', message = body.slice(0, 500) } = parseStatus(body)
  return new ApiError(`exec in pod ${options.namespace}/${options.pod}`, status, reason, message)
}

function parseStatus(body: string): { readonly reason?: string; readonly message?: string } {
  try {
    return JSON.parse(body) as { reason?: string; message?: string }
  } catch {
    // A proxy's page instead of a Status object.
    return {}
  }
}

function execError(options: ExecOptions, text: string, cause?: unknown): ToolkitError {
  return new ToolkitError(`exec in pod ${options.namespace}/${options.pod}: ${text}`, { code: 'EXEC_FAILED', cause })
}

async function passStdin(socket: WebSocket, stdin: string | AsyncIterable<string>): Promise<void> {
  for await (const piece of typeof stdin === 'string' ? [stdin] : stdin) {
    const data = Buffer.from(piece)
    for (let offset = 0; offset < data.length; offset += stdinChunk) {
      socket.send(Buffer.concat([Buffer.from([channel.stdin]), data.subarray(offset, offset + stdinChunk)]))
    }
  }
  if (socket.protocol === protocols[0]) socket.send(Buffer.from([channel.close, channel.stdin]))
}

function verdict(status: Status, stderr: Buffer[]): { exitCode: number } {
  if (status.status === 'Success') return { exitCode: 0 }
  const cause = status.details?.causes?.find((entry) => entry.reason === 'ExitCode')
  if (cause?.message !== undefined) return { exitCode: Number(cause.message) }
  // The container never ran the program: the server's message is all there is to know.
  stderr.push(Buffer.from(status.message ?? 'exec failed without a message'))
  return { exitCode: 126 }
}
