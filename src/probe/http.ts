import { createHash } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import { classify, type Outcome } from './dial.ts'
import type { HttpRequest } from './protocol.ts'

/** Names the pod that answered; set by our identity server (serve.ts). */
export const identityHeader = 'x-k8s-platform-pod'
const keptBody = 4096
/** A server that never stops sending must not fill the pod's memory. */
const maxBody = 1024 * 1024

export function probeHttp(request: Omit<HttpRequest, 'id' | 'kind'>): Promise<Outcome> {
  return new Promise((resolve) => {
    let url: URL
    try {
      url = new URL(request.url)
    } catch (error) {
      resolve({ dial: 'error', detail: `not a URL: ${request.url} (${String(error)})` })
      return
    }
    const send = url.protocol === 'https:' ? https.request : http.request
    const outgoing = send(url, {
      agent: false,
      method: request.method ?? 'GET',
      headers: {
        'user-agent': 'k8s-platform-probe',
        connection: 'close',
        ...request.headers,
        ...(request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }),
      },
    })
    const finish = (outcome: Outcome): void => {
      clearTimeout(timer)
      outgoing.destroy()
      resolve(outcome)
    }
    const timer = setTimeout(
      () => finish({ dial: 'timeout', detail: `no whole answer within ${request.timeoutMs} ms` }),
      request.timeoutMs,
    )
    outgoing.on('error', (error) => finish(classify(error)))
    outgoing.on('response', (response) => {
      const hash = createHash('sha256')
      const kept: Buffer[] = []
      let size = 0
      const end = (): void => {
        const identity = response.headers[identityHeader]
        finish({
          dial: 'connected',
          http: {
            status: response.statusCode ?? 0,
            ...(typeof identity === 'string' ? { identity } : {}),
            bodySha256: hash.digest('hex'),
            body: Buffer.concat(kept).subarray(0, keptBody).toString('utf8'),
          },
        })
      }
      response.on('data', (chunk: Buffer) => {
        hash.update(chunk)
        if (size < keptBody) kept.push(chunk)
        size += chunk.length
        if (size > maxBody) finish({ dial: 'error', detail: `the answer is larger than ${maxBody} bytes` })
      })
      response.on('error', (error) => finish(classify(error)))
      response.on('end', end)
    })
    outgoing.end(request.body)
  })
}
