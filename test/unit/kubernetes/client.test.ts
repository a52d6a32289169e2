import { mkdtempSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { ApiError } from '../../../src/kubernetes/api-error.ts'
import type { Kubernetes } from '../../../src/kubernetes/client.ts'
import { createKubernetes } from '../../../src/kubernetes/create-kubernetes.ts'
import { InputError, NotReadyError } from '../../../src/process/errors.ts'
import { testHost } from '../../support/test-host.ts'

type Handler = (request: http.IncomingMessage, body: string, response: http.ServerResponse) => void

const servers: http.Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A small API server: discovery of core/v1 and whatever the test adds. */
async function serve(
  handler: Handler,
  host = testHost(),
): Promise<{ kubernetes: Kubernetes; server: http.Server; requests: string[] }> {
  const requests: string[] = []
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    requests.push(`${request.method} ${request.url}`)
    if (request.url === '/api/v1') {
      response.end(
        JSON.stringify({
          resources: [
            { name: 'pods', kind: 'Pod', namespaced: true },
            { name: 'pods/log', kind: 'Pod', namespaced: true },
            { name: 'nodes', kind: 'Node', namespaced: false },
          ],
        }),
      )
      return
    }
    handler(request, Buffer.concat(chunks).toString(), response)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'kubeconfig-')), 'config')
  writeFileSync(file, kubeconfig(port))
  return { kubernetes: await createKubernetes(host, { kubeconfig: file }), server, requests }
}

const kubeconfig = (port: number): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: { token: 'secret-token' } }],
  })

const pod = (name: string, phase: string, version: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'ns', resourceVersion: version },
  status: { phase },
})
const notFound = (response: http.ServerResponse): void => {
  response.statusCode = 404
  response.end(JSON.stringify({ kind: 'Status', reason: 'NotFound', message: 'pods "x" not found' }))
}

describe('kubernetes client', () => {
  it('gets by kind, sends the token, and takes 404 as absent', async () => {
    let authorization: string | undefined
    const { kubernetes, requests } = await serve((request, _body, response) => {
      authorization = request.headers.authorization
      if (request.url?.endsWith('/here')) response.end(JSON.stringify(pod('here', 'Running', '1')))
      else notFound(response)
    })
    const ref = { apiVersion: 'v1', kind: 'Pod', namespace: 'ns' }
    expect((await kubernetes.get({ ...ref, name: 'here' }))?.['status']).toEqual({ phase: 'Running' })
    expect(await kubernetes.get({ ...ref, name: 'x' })).toBeUndefined()
    expect(authorization).toBe('Bearer secret-token')
    expect(requests).toEqual(['GET /api/v1', 'GET /api/v1/namespaces/ns/pods/here', 'GET /api/v1/namespaces/ns/pods/x'])
  })

  it('carries the server reason and message when refused', async () => {
    const { kubernetes } = await serve((_request, _body, response) => {
      response.statusCode = 403
      response.end(JSON.stringify({ reason: 'Forbidden', message: 'nodes is forbidden' }))
    })
    const error = (await kubernetes
      .list({ apiVersion: 'v1', kind: 'Node' })
      .catch((caught: unknown) => caught)) as ApiError
    expect(error).toBeInstanceOf(ApiError)
    expect(error.message).toBe('GET /api/v1/nodes?limit=500: 403 Forbidden: nodes is forbidden')
  })

  it('names a kind the cluster does not have', async () => {
    const { kubernetes } = await serve((_request, _body, response) => notFound(response))
    await expect(kubernetes.list({ apiVersion: 'v1', kind: 'Widget' })).rejects.toThrow(
      'the cluster has no Widget in v1',
    )
  })

  it('follows pages of a list', async () => {
    const { kubernetes } = await serve((request, _body, response) => {
      const more = !request.url?.includes('continue=')
      response.end(
        JSON.stringify({
          metadata: { resourceVersion: '9', continue: more ? 'next' : '' },
          items: [pod(more ? 'a' : 'b', 'Running', '1')],
        }),
      )
    })
    const pods = await kubernetes.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'ns' })
    expect(pods.map((entry) => `${entry.kind} ${entry.metadata.name}`)).toEqual(['Pod a', 'Pod b'])
  })

  it('applies server-side with our field manager', async () => {
    let seen = ''
    const { kubernetes, requests } = await serve((request, body, response) => {
      seen = `${request.headers['content-type']} ${body}`
      response.end(body)
    })
    await kubernetes.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'ns' } })
    expect(requests[1]).toBe('PATCH /api/v1/namespaces/ns/pods/p?fieldManager=k8s-platform&force=true')
    expect(seen).toContain('application/apply-patch+yaml')
  })

  it('waits by watch: sees the change without listing again', async () => {
    const { kubernetes, requests } = await serve((request, _body, response) => {
      if (request.url?.includes('watch=true')) {
        response.write(`${JSON.stringify({ type: 'MODIFIED', object: pod('a', 'Running', '6') })}\n`)
        return
      }
      response.end(JSON.stringify({ metadata: { resourceVersion: '5' }, items: [pod('a', 'Pending', '4')] }))
    })
    const found = await kubernetes.until(
      'pod a',
      { apiVersion: 'v1', kind: 'Pod' },
      { namespace: 'ns' },
      {
        timeoutMs: 5_000,
        done: (pods) => pods.every((entry) => entry['status'].phase === 'Running'),
        explain: () => 'Pending',
      },
    )
    expect(found.map((entry) => entry.metadata.name)).toEqual(['a'])
    expect(requests.filter((line) => line.includes('watch=true'))).toHaveLength(1)
    expect(requests.at(-1)).toContain('resourceVersion=5')
  })

  it('lists afresh when the watch says its version is gone', async () => {
    let lists = 0
    const { kubernetes } = await serve((request, _body, response) => {
      if (request.url?.includes('watch=true')) {
        response.end(
          `${JSON.stringify({ type: 'ERROR', object: { code: 410, message: 'too old resource version' } })}\n`,
        )
        return
      }
      lists += 1
      response.end(
        JSON.stringify({
          metadata: { resourceVersion: String(lists) },
          items: lists === 1 ? [] : [pod('late', 'Running', '7')],
        }),
      )
    })
    const found = await kubernetes.until(
      'a pod',
      { apiVersion: 'v1', kind: 'Pod' },
      {},
      { timeoutMs: 5_000, done: (pods) => pods.length > 0, explain: () => 'none' },
    )
    expect(found[0]?.metadata.name).toBe('late')
    expect(lists).toBe(2)
  })

  it('misses its deadline with the last reason', async () => {
    const { kubernetes } = await serve((request, _body, response) => {
      if (request.url?.includes('watch=true')) response.write('')
      else response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: [pod('a', 'Pending', '1')] }))
    })
    const wait = kubernetes.until(
      'pod a',
      { apiVersion: 'v1', kind: 'Pod' },
      {},
      { timeoutMs: 150, done: () => false, explain: () => 'Pending: no node fits' },
    )
    const error = (await wait.catch((caught: unknown) => caught)) as NotReadyError
    expect(error).toBeInstanceOf(NotReadyError)
    expect(error.message).toBe('pod a not ready after 0.1 s: Pending: no node fits')
  })

  it('stops waiting when the answer can only be no', async () => {
    const { kubernetes } = await serve((_request, _body, response) => {
      response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: [] }))
    })
    const wait = kubernetes.until(
      'x',
      { apiVersion: 'v1', kind: 'Pod' },
      {},
      {
        timeoutMs: 5_000,
        done: () => {
          throw new InputError([{ name: 'image', problem: 'does not exist' }])
        },
        explain: () => '',
      },
    )
    await expect(wait).rejects.toBeInstanceOf(InputError)
  })

  it('tries again when a kept connection is closed just as it is used, also for a create; never on a fresh one', async () => {
    const sockets = new Map<object, number>()
    const { kubernetes, requests } = await serve((request, body, response) => {
      const used = (sockets.get(request.socket) ?? 0) + 1
      sockets.set(request.socket, used)
      if (body.includes('always') || (body.includes('second') && sockets.size === 1)) request.socket.destroy()
      else response.end(body)
    })
    const create = (name: string) =>
      kubernetes.create({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'ns' } })
    await create('first')
    expect((await create('second')).metadata.name).toBe('second')
    expect(sockets.size).toBe(2)
    await expect(create('always')).rejects.toThrow('socket hang up')
    expect(requests.filter((line) => line.startsWith('POST'))).toHaveLength(5)
  })

  it('renews its credentials without cutting off what is under way', async () => {
    let now = 0
    const held: (() => void)[] = []
    const clock = { monotonic: () => now, now: () => new Date() }
    const { kubernetes } = await serve((_request, body, response) => {
      if (body.includes('slow')) held.push(() => response.end(body))
      else response.end(body)
    }, testHost({ clock }))
    const create = (name: string) =>
      kubernetes.create({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'ns' } })
    await create('first')
    const slow = create('slow')
    await expect.poll(() => held.length).toBe(1)
    now = 61_000
    await Promise.all([create('second'), create('third')])
    held[0]?.()
    expect((await slow).metadata.name).toBe('slow')
  })

  it('refuses a context the kubeconfig does not have, naming those it has', async () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'kubeconfig-')), 'config')
    writeFileSync(file, kubeconfig(1))
    await expect(createKubernetes(testHost(), { kubeconfig: file, context: 'prod' })).rejects.toThrow(
      'context (got "prod") is not in the kubeconfig; allowed: test',
    )
  })
})

describe('exec in a pod', () => {
  async function serveExec(onConnection: (socket: import('ws').WebSocket, url: string) => void): Promise<Kubernetes> {
    const { kubernetes, server } = await serve((_request, _body, response) => notFound(response))
    const sockets = new WebSocketServer({ server, handleProtocols: () => 'v5.channel.k8s.io' })
    sockets.on('connection', (socket, request) => onConnection(socket, request.url ?? ''))
    return kubernetes
  }
  const frame = (channel: number, text: string): Buffer => Buffer.concat([Buffer.from([channel]), Buffer.from(text)])
  const options = { namespace: 'ns', pod: 'p', command: ['cat', 'a b'], timeoutMs: 5_000 }

  it('passes stdin, closes it, and gives output and exit code', async () => {
    let query = ''
    const kubernetes = await serveExec((socket, url) => {
      query = url
      let input = ''
      socket.on('message', (data: Buffer) => {
        if (data[0] === 0) input += data.subarray(1).toString()
        if (data[0] === 255) {
          socket.send(frame(1, input.toUpperCase()))
          socket.send(
            frame(
              3,
              JSON.stringify({ status: 'Failure', details: { causes: [{ reason: 'ExitCode', message: '7' }] } }),
            ),
          )
          socket.close()
        }
      })
    })
    const result = await kubernetes.exec({ ...options, stdin: 'hello' })
    expect(result).toEqual({ stdout: 'HELLO', stderr: '', status: { exitCode: 7 } })
    expect(query).toContain('command=cat&command=a+b')
  })

  it('passes on pieces both ways as they come, until it is told to end', async () => {
    const kubernetes = await serveExec((socket) => {
      socket.on('message', (data: Buffer) => {
        // A character of two bytes, cut.
        const echo = Buffer.concat([data.subarray(1), Buffer.from('é')])
        for (const piece of [echo.subarray(0, -1), echo.subarray(-1)])
          socket.send(Buffer.concat([Buffer.from([1]), piece]))
      })
    })
    const end = new AbortController()
    const heard = Promise.withResolvers<string>()
    let said = ''
    async function* pieces(): AsyncGenerator<string> {
      yield 'one '
      yield await heard.promise
      await new Promise(() => {})
    }
    const onStdout = (piece: string): void => {
      said += piece
      if (said === 'one é') heard.resolve('two ')
      if (said === 'one étwo é') end.abort()
    }
    const result = await kubernetes.exec({ ...options, stdin: pieces(), onStdout, signal: end.signal })
    expect(said).toBe('one étwo é')
    expect(result).toEqual({ stdout: '', stderr: '', status: null })
  })

  it('has no verdict when the stream dies: never a success', async () => {
    const kubernetes = await serveExec((socket) => {
      socket.send(frame(1, 'half'))
      setImmediate(() => socket.terminate())
    })
    expect(await kubernetes.exec(options)).toEqual({ stdout: 'half', stderr: '', status: null })
  })

  it('has no verdict when the deadline passes', async () => {
    const kubernetes = await serveExec(() => {})
    expect((await kubernetes.exec({ ...options, timeoutMs: 100 })).status).toBeNull()
  })

  it('says why no stream could be opened', async () => {
    const { kubernetes, server } = await serve((_request, _body, response) => notFound(response))
    server.on('upgrade', (_request, socket) =>
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 16\r\n\r\npod p not found\n'),
    )
    await expect(kubernetes.exec(options)).rejects.toThrow('exec in pod ns/p: 404 pod p not found')
  })
})
