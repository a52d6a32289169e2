import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { KubeObject } from '../../src/kubernetes/objects.ts'

const resources = [
  { name: 'namespaces', kind: 'Namespace', namespaced: false },
  { name: 'configmaps', kind: 'ConfigMap', namespaced: true },
  { name: 'serviceaccounts', kind: 'ServiceAccount', namespaced: true },
  { name: 'services', kind: 'Service', namespaced: true },
  { name: 'secrets', kind: 'Secret', namespaced: true },
  { name: 'pods', kind: 'Pod', namespaced: true },
]

/** An API server on 127.0.0.1 that keeps objects of core/v1 and nothing else: enough for a program that is started as it is. */
export class FakeApiServer {
  readonly objects = new Map<string, KubeObject>()
  /** `PATCH /api/v1/…` of every request that is to change something; dry runs are marked. */
  readonly writes: string[] = []
  requests = 0
  /** Refuses what is applied, with this message, where it returns one. */
  refuse: (object: KubeObject) => string | undefined = () => undefined
  readonly #server: Server

  constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error))
    })
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  kubeconfig(token = 'none'): string {
    const { port } = this.#server.address() as AddressInfo
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
      clusters: [{ name: 'test', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'test', user: { token } }],
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    const failed = (status: number, reason: string, message: string): void =>
      send(status, { kind: 'Status', code: status, reason, message })
    const dry = searchParams.get('dryRun') === 'All'
    const method = request.method ?? 'GET'
    if (pathname === '/api/v1') return send(200, { resources })
    if (method !== 'GET') this.writes.push(`${method} ${pathname}${dry ? ' (dry run)' : ''}`)
    const live = this.objects.get(pathname)
    if (method === 'GET' && live !== undefined) return send(200, live)
    const kind = /\/(serviceaccounts|namespaces|secrets|pods)$/.exec(pathname)?.[1]
    if (method === 'GET' && kind !== undefined) {
      if (searchParams.get('watch') === 'true') {
        response.writeHead(200).flushHeaders()
        return
      }
      const everywhere = pathname === `/api/v1/${kind}`
      const isListed = (path: string): boolean =>
        path.startsWith(`${pathname}/`) || (everywhere && path.split('/').at(-2) === kind)
      const labels = (searchParams.get('labelSelector') ?? '').split(',').filter((label) => label !== '')
      const isWanted = ({ metadata }: KubeObject): boolean =>
        labels.every((label) => `${label.split('=')[0]}=${metadata.labels?.[label.split('=')[0] ?? '']}` === label)
      const listed = [...this.objects].filter(([path]) => isListed(path)).map(([, object]) => object)
      const items = listed.filter(isWanted)
      return send(200, { metadata: { resourceVersion: '1' }, items })
    }
    if (method === 'DELETE') {
      for (const path of this.objects.keys()) if (`${path}/`.startsWith(`${pathname}/`)) this.objects.delete(path)
      return send(200, { kind: 'Status', status: 'Success' })
    }
    if (method !== 'PATCH' && method !== 'POST') return failed(404, 'NotFound', `${pathname} not found`)
    const given = JSON.parse(Buffer.concat(chunks).toString()) as KubeObject
    const refused = this.refuse(given)
    if (refused !== undefined) return failed(422, 'Invalid', refused)
    const object = { ...live, ...given, metadata: { uid: pathname, ...live?.metadata, ...given.metadata } }
    if (!dry) this.#put(method === 'POST' ? `${pathname}/${given.metadata.name}` : pathname, object)
    send(200, object)
  }

  #put(path: string, object: KubeObject): void {
    this.objects.set(path, object)
    // As its controller does.
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } }
    if (object.kind === 'Namespace') this.objects.set(`${path}/serviceaccounts/default`, account)
  }
}
