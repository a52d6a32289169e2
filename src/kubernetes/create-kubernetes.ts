import { ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { pause } from '../process/wait.ts'
import { ApiError } from './api-error.ts'
import type { Kubernetes, WatchEvent } from './client.ts'
import { Discovery, scopeQuery } from './discovery.ts'
import type { KubeObject, ListScope, ObjectRef, ResourceKind } from './objects.ts'
import { execInPod } from './pod-exec.ts'
import { createTransport } from './transport.ts'
import { until } from './until.ts'

const requestMs = 30_000
const fieldManager = 'k8s-platform'
/** The server ends a watch after this long; we list again and go on. */
const watchSeconds = 300
const retryMs = 500

interface ListBody {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly items: KubeObject[] | null
}

/**
 * The API server named by a kubeconfig and, where given, one of its contexts.
 * @throws InputError for a kubeconfig that cannot be used.
 */
export async function createKubernetes(
  host: Pick<Host, 'clock' | 'log' | 'signal'>,
  options: { readonly kubeconfig: string; readonly context?: string },
): Promise<Kubernetes> {
  const transport = await createTransport(host.clock, options.kubeconfig, options.context)
  const send = (method: string, path: string, body?: object, contentType?: string): Promise<string> =>
    transport
      .request({
        method,
        path,
        timeoutMs: requestMs,
        signal: host.signal,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(contentType === undefined ? {} : { contentType }),
      })
      .then((answer) => answer.body)
  const discovery = new Discovery((path) => send('GET', path))

  async function listPage(kind: ResourceKind, scope: ListScope): Promise<{ items: KubeObject[]; version: string }> {
    // Only these two: a reference with a name would ask for the one object.
    const path = await discovery.path({
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      ...(scope.namespace === undefined ? {} : { namespace: scope.namespace }),
    })
    const items: KubeObject[] = []
    let next: string | undefined
    let version = ''
    do {
      const page = { limit: '500', ...(next === undefined ? {} : { continue: next }) }
      const body = JSON.parse(await send('GET', path + scopeQuery(scope, page))) as ListBody
      // Items of a list carry neither apiVersion nor kind.
      for (const item of body.items ?? []) items.push({ ...item, apiVersion: kind.apiVersion, kind: kind.kind })
      version = body.metadata.resourceVersion
      next = body.metadata.continue === '' ? undefined : body.metadata.continue
    } while (next !== undefined)
    return { items, version }
  }

  async function watchFrom(
    kind: ResourceKind,
    scope: ListScope,
    version: string,
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal,
  ): Promise<void> {
    // Only these two: a reference with a name would ask for the one object.
    const path = await discovery.path({
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      ...(scope.namespace === undefined ? {} : { namespace: scope.namespace }),
    })
    const query = {
      watch: 'true',
      resourceVersion: version,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(watchSeconds),
    }
    await transport.stream({ method: 'GET', path: path + scopeQuery(scope, query), signal }, (line) => {
      const event = JSON.parse(line) as WatchEvent | { type: 'ERROR'; object: { code?: number; message?: string } }
      if (event.type === 'ERROR') {
        // 410 Gone: our version is too old. The caller lists afresh.
        throw new ToolkitError(`watch of ${kind.kind}: ${event.object.message ?? 'ended'}`, {
          code: 'KUBERNETES_WATCH',
        })
      }
      onEvent(event)
    })
  }

  /** Lists and watches until the signal is aborted; `onState` sees the whole set after each change. */
  async function follow(
    kind: ResourceKind,
    scope: ListScope,
    signal: AbortSignal,
    onState: (objects: readonly KubeObject[]) => void,
    onTrouble: (error: unknown) => void,
  ): Promise<void> {
    while (!signal.aborted) {
      try {
        const { items, version } = await listPage(kind, scope)
        const known = new Map(items.map((item) => [keyOf(item), item]))
        onState([...known.values()])
        let last = version
        // Many events arrive in one chunk of the stream; the state is judged once per turn of the event loop.
        let scheduled = false
        const changed = (): void => {
          if (scheduled) return
          scheduled = true
          setImmediate(() => {
            scheduled = false
            if (!signal.aborted) onState([...known.values()])
          })
        }
        while (!signal.aborted) {
          const started = host.clock.monotonic()
          await watchFrom(
            kind,
            scope,
            last,
            (event) => {
              last = event.object.metadata.resourceVersion ?? last
              if (event.type === 'BOOKMARK') return
              if (event.type === 'DELETED') known.delete(keyOf(event.object))
              else known.set(keyOf(event.object), event.object)
              changed()
            },
            signal,
          )
          // A server that ends watches at once must not be asked in a tight loop.
          if (host.clock.monotonic() - started < retryMs) await pause(retryMs, signal)
        }
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof ApiError && (error.status === 401 || error.status === 403)) throw error
        onTrouble(error)
        await pause(retryMs, signal)
      }
    }
  }

  return {
    async get(ref) {
      try {
        return JSON.parse(await send('GET', await discovery.path(ref))) as KubeObject
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return undefined
        throw error
      }
    },
    list: async (kind, scope = {}) => (await listPage(kind, scope)).items,
    async apply(object, applyOptions = {}) {
      const query = new URLSearchParams({
        fieldManager: applyOptions.fieldManager ?? fieldManager,
        force: String(applyOptions.force ?? true),
      })
      if (applyOptions.dryRun === true) query.set('dryRun', 'All')
      if (applyOptions.strict === true) query.set('fieldValidation', 'Strict')
      const path = await discovery.path(refFor(object))
      return JSON.parse(await send('PATCH', `${path}?${query}`, object, 'application/apply-patch+yaml')) as KubeObject
    },
    async create(object, createOptions = {}) {
      const { name: _name, ...collection } = refFor(object)
      const query = createOptions.dryRun === true ? '?dryRun=All' : ''
      return JSON.parse(await send('POST', `${await discovery.path(collection)}${query}`, object)) as KubeObject
    },
    async patch(ref, patch, subresource) {
      const path = `${await discovery.path(ref)}${subresource === undefined ? '' : `/${subresource}`}`
      return JSON.parse(await send('PATCH', path, patch, 'application/merge-patch+json')) as KubeObject
    },
    async delete(ref) {
      try {
        await send('DELETE', await discovery.path(ref), {
          kind: 'DeleteOptions',
          apiVersion: 'v1',
          propagationPolicy: 'Foreground',
        })
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) throw error
      }
    },
    async watch(kind, scope, onEvent, signal) {
      const both = AbortSignal.any([signal, host.signal])
      const { version } = await listPage(kind, scope)
      let last = version
      while (!both.aborted) {
        const seen = (event: WatchEvent): void => {
          last = event.object.metadata.resourceVersion ?? last
          if (event.type !== 'BOOKMARK') onEvent(event)
        }
        await watchFrom(kind, scope, last, seen, both)
        await pause(retryMs, both)
      }
    },
    until: (what, kind, scope, untilOptions) =>
      until(host, what, untilOptions, (signal, onState, onTrouble) => follow(kind, scope, signal, onState, onTrouble)),
    exec: (execOptions) => execInPod(transport.config, execOptions, host.signal),
    logs(logOptions) {
      const query = new URLSearchParams({ timestamps: 'false' })
      if (logOptions.container !== undefined) query.set('container', logOptions.container)
      if (logOptions.previous === true) query.set('previous', 'true')
      if (logOptions.tailLines !== undefined) query.set('tailLines', String(logOptions.tailLines))
      const pod = encodeURIComponent(logOptions.pod)
      return send('GET', `/api/v1/namespaces/${encodeURIComponent(logOptions.namespace)}/pods/${pod}/log?${query}`)
    },
    async serverTime() {
      const { date } = await transport.request({
        method: 'GET',
        path: '/version',
        timeoutMs: requestMs,
        signal: host.signal,
      })
      if (date === undefined) throw new ToolkitError('the API server’s answer has no date', { code: 'KUBERNETES_API' })
      return date
    },
    raw: async (path, rawOptions = {}) =>
      (
        await transport.request({
          method: rawOptions.method ?? 'GET',
          path,
          timeoutMs: rawOptions.timeoutMs ?? requestMs,
          signal: host.signal,
          ...(rawOptions.body === undefined ? {} : { body: rawOptions.body }),
        })
      ).body,
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}

function refFor(object: KubeObject): ObjectRef {
  const { name, namespace } = object.metadata
  return { apiVersion: object.apiVersion, kind: object.kind, name, ...(namespace === undefined ? {} : { namespace }) }
}
