import type { Kubernetes, UntilOptions } from '../../../src/kubernetes/client.ts'
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
  /** What admission makes of an object that is applied as a dry run. */
  admit: (applied: KubeObject, live: KubeObject | undefined) => KubeObject = (applied, live) => ({
    ...live,
    ...applied,
  })
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
    return [...this.objects.values()].filter(
      (object) =>
        object.kind === kind.kind &&
        (scope.namespace === undefined || object.metadata.namespace === scope.namespace) &&
        labels.every(([name, value]) => object.metadata.labels?.[name ?? ''] === value),
    )
  }

  client(signal: AbortSignal = new AbortController().signal): Kubernetes {
    const unexpected = (what: string) => (): never => {
      throw new Error(`unexpected call: ${what}`)
    }
    return {
      get: async (ref: ObjectRef) => this.objects.get(keyOf(ref)),
      list: async (kind, scope = {}) => this.#list(kind, scope),
      apply: async (object, options = {}) => {
        if (options.dryRun !== true) throw new Error('unexpected apply')
        return this.admit(object, this.objects.get(keyOf({ kind: object.kind, ...object.metadata })))
      },
      create: async (object) => {
        this.writes.push(`create ${keyOf({ kind: object.kind, ...object.metadata })}`)
        this.put(object)
        return object
      },
      delete: async (ref) => {
        this.writes.push(`delete ${keyOf(ref)}`)
        this.remove(ref)
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
      raw: unexpected('raw'),
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
        if (options.timeoutMs <= 100)
          setTimeout(() => reject(new NotReadyError(`${what} not ready`)), options.timeoutMs)
      })
    } finally {
      this.following -= 1
    }
  }
}
