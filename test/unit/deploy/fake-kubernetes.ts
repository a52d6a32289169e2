import { ApiError } from '../../../src/kubernetes/api-error.ts'
import type { ApplyOptions, Kubernetes, UntilOptions } from '../../../src/kubernetes/client.ts'
import type { KubeObject, ListScope, ObjectRef, ResourceKind } from '../../../src/kubernetes/objects.ts'
import { CancelledError, NotReadyError } from '../../../src/process/errors.ts'

const keyOf = (ref: { kind: string; name: string; namespace?: string | undefined }): string =>
  `${ref.kind}/${ref.namespace ?? ''}/${ref.name}`

/** An API server in memory: what is put is seen by lists and by everybody who follows. Calls that a test did not provide for throw. */
export class FakeCluster {
  readonly objects = new Map<string, KubeObject>()
  readonly writes: string[] = []
  readonly logs = new Map<string, string>()
  /** Kinds the user may not read. */
  readonly forbidden = new Set<string>()
  /** What admission makes of an object that is applied. */
  admit: (applied: KubeObject, live: KubeObject | undefined, options?: ApplyOptions) => KubeObject = (
    applied,
    live,
  ) => ({
    ...live,
    ...applied,
  })
  /** Whether objects may be applied for good. */
  writable = false
  /** What the user may not do, such as `delete Namespace`: answered with 403. */
  readonly denied = new Set<string>()
  /** Keys such as `ConfigMap/shop/a` of objects whose deletion is accepted, and no more. */
  readonly held = new Set<string>()
  /** Every call that asked or wrote, such as `list Node`. */
  readonly calls: string[] = []
  /** By path of the group version: what discovery answers. */
  readonly discovery: Readonly<Record<string, readonly { name: string; kind: string; namespaced: boolean }[]>> = {
    '/api/v1': [
      { name: 'namespaces', kind: 'Namespace', namespaced: false },
      { name: 'configmaps', kind: 'ConfigMap', namespaced: true },
      { name: 'services', kind: 'Service', namespaced: true },
    ],
  }
  following = 0
  #listeners = new Set<() => void>()

  put(...objects: KubeObject[]): this {
    for (const object of objects) this.objects.set(keyOf({ kind: object.kind, ...object.metadata }), object)
    for (const listener of this.#listeners) listener()
    return this
  }

  remove(ref: { kind: string; name: string; namespace?: string }): void {
    this.objects.delete(keyOf(ref))
    for (const listener of this.#listeners) listener()
  }

  #list(kind: ResourceKind, scope: ListScope): KubeObject[] {
    const labels = (scope.labelSelector ?? '')
      .split(',')
      .filter((part) => part !== '')
      .map((part) => part.split('='))
    const name = /^metadata\.name=(.+)$/.exec(scope.fieldSelector ?? '')?.[1]
    return [...this.objects.values()].filter(
      (object) =>
        (name === undefined || object.metadata.name === name) &&
        object.kind === kind.kind &&
        (scope.namespace === undefined || object.metadata.namespace === scope.namespace) &&
        labels.every(([name, value]) => object.metadata.labels?.[name ?? ''] === value),
    )
  }

  #asked(verb: string, kind: string): void {
    this.calls.push(`${verb} ${kind}`)
    if (this.denied.has(`${verb} ${kind}`))
      throw new ApiError(`${verb} ${kind}`, 403, 'Forbidden', `cannot ${verb} ${kind}`)
  }

  client(signal: AbortSignal = new AbortController().signal): Kubernetes {
    const unexpected = (what: string) => (): never => {
      throw new Error(`unexpected call: ${what}`)
    }
    return {
      get: async (ref: ObjectRef) => {
        this.#asked('get', ref.kind)
        return this.objects.get(keyOf(ref))
      },
      list: async (kind, scope = {}) => {
        this.#asked('list', kind.kind)
        return this.#list(kind, scope)
      },
      apply: async (object, options = {}) => {
        const key = keyOf({ kind: object.kind, ...object.metadata })
        if (options.dryRun !== true && !this.writable) throw new Error('unexpected apply')
        const applied = this.admit(object, this.objects.get(key), options)
        if (options.dryRun !== true) {
          this.#asked('patch', object.kind)
          this.writes.push(`apply ${key}`)
          this.put(applied)
        }
        return applied
      },
      create: async (object) => {
        this.#asked('create', object.kind)
        this.writes.push(`create ${keyOf({ kind: object.kind, ...object.metadata })}`)
        this.put(object)
        return object
      },
      delete: async (ref) => {
        if (signal.aborted) throw new CancelledError('cancelled')
        this.#asked('delete', ref.kind)
        this.writes.push(`delete ${keyOf(ref)}`)
        const live = this.objects.get(keyOf(ref))
        if (live === undefined || !this.held.has(keyOf(ref))) this.remove(ref)
        else this.put({ ...live, metadata: { ...live.metadata, deletionTimestamp: '2026-11-21T10:00:00Z' } })
      },
      until: (what, kind, scope, options) => this.#until(what, kind, scope, options, signal),
      logs: async ({ pod, container, previous }) => {
        const text = this.logs.get(`${pod}/${container ?? ''}${previous === true ? '/previous' : ''}`)
        if (text === undefined) throw new Error('no such log')
        return text
      },
      patch: unexpected('patch'),
      watch: unexpected('watch'),
      exec: unexpected('exec'),
      raw: async (path) => {
        const resources = this.discovery[path]
        if (resources === undefined) throw new ApiError(`GET ${path}`, 404, 'NotFound', 'not found')
        return JSON.stringify({ resources })
      },
      serverTime: unexpected('serverTime'),
    }
  }

  async #until(
    what: string,
    kind: ResourceKind,
    scope: ListScope,
    options: UntilOptions,
    signal: AbortSignal,
  ): Promise<KubeObject[]> {
    this.#asked('watch', kind.kind)
    if (this.forbidden.has(kind.kind)) throw new Error(`${kind.kind} is forbidden`)
    this.following += 1
    try {
      return await new Promise<KubeObject[]>((resolve, reject) => {
        const look = (): void => {
          const objects = this.#list(kind, scope)
          if (options.done(objects)) resolve(objects)
        }
        this.#listeners.add(look)
        signal.addEventListener('abort', () => {
          this.#listeners.delete(look)
          reject(new CancelledError(`cancelled while waiting for ${what}`))
        })
        if (signal.aborted) reject(new CancelledError('cancelled'))
        else look()
        // A test waits a moment, not minutes.
        if (options.timeoutMs <= 100) {
          const details = options.hint === undefined ? {} : { hint: options.hint }
          setTimeout(() => reject(new NotReadyError(`${what} not ready`, details)), options.timeoutMs)
        }
      })
    } finally {
      this.following -= 1
    }
  }
}
