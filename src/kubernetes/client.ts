import type { KubeObject, ListScope, ObjectRef, ResourceKind } from './objects.ts'

export interface ExecOptions {
  readonly namespace: string
  readonly pod: string
  readonly container?: string
  /** argv of the program in the container. */
  readonly command: readonly string[]
  /** A text, or pieces that are passed on as they come; their end is the end of the file. */
  readonly stdin?: string | AsyncIterable<string>
  /** Takes the output piece by piece as it comes; the result's `stdout` is empty then. */
  readonly onStdout?: (piece: string) => void
  /** Ends the stream, without a verdict. */
  readonly signal?: AbortSignal
  readonly timeoutMs: number
}

/**
 * What came out of a program in a container. `status` is null when the stream ended without a verdict of the API server: the caller must treat that as
 * inconclusive, never as success (kubernetes/kubectl#1726).
 */
export interface ExecResult {
  readonly stdout: string
  readonly stderr: string
  readonly status: { readonly exitCode: number } | null
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: KubeObject
}

export interface UntilOptions {
  readonly timeoutMs: number
  readonly done: (objects: readonly KubeObject[]) => boolean
  /** The current reason it is not done, for the log and the error. */
  readonly explain: (objects: readonly KubeObject[]) => string
  readonly hint?: string
}

export interface ApplyOptions {
  readonly dryRun?: boolean
  /** Default `k8s-platform`. */
  readonly fieldManager?: string
  /** Take fields that another manager owns. Default true; else such a field is a 409 whose causes name the managers. */
  readonly force?: boolean
  /** Refuse fields that the kind does not have, and fields given twice. */
  readonly strict?: boolean
}

/**
 * The API server, as features see it: plain JSON in and out. Every call takes part in the run's cancellation and has a deadline.
 * Rejects with ApiError (api-error.ts) for an answer that is not 2xx.
 */
export interface Kubernetes {
  /** The object, or undefined when the server says 404. */
  get(ref: ObjectRef): Promise<KubeObject | undefined>
  list(kind: ResourceKind, scope?: ListScope): Promise<KubeObject[]>
  /** Server-side apply. */
  apply(object: KubeObject, options?: ApplyOptions): Promise<KubeObject>
  create(object: KubeObject, options?: { readonly dryRun?: boolean }): Promise<KubeObject>
  /** JSON merge patch. */
  patch(ref: ObjectRef, patch: object, subresource?: string): Promise<KubeObject>
  /** Foreground deletion; resolves when accepted. An absent object is success. */
  delete(ref: ObjectRef): Promise<void>
  /** Lists, then watches, reconnecting as needed, until `done`; rejects with NotReadyError carrying the last reason. */
  until(what: string, kind: ResourceKind, scope: ListScope, options: UntilOptions): Promise<KubeObject[]>
  /** Events from now on until the signal is aborted. */
  watch(kind: ResourceKind, scope: ListScope, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void>
  exec(options: ExecOptions): Promise<ExecResult>
  logs(options: {
    readonly namespace: string
    readonly pod: string
    readonly container?: string
    readonly previous?: boolean
    readonly tailLines?: number
  }): Promise<string>
  /** The API server's clock, by the date of an answer; whole seconds. Ours may be off by minutes, and every age read from the API is by that clock. */
  serverTime(): Promise<Date>
  /** Any other path of the API, such as `/readyz?verbose` or `/version`; the body as text. */
  raw(
    path: string,
    options?: { readonly method?: string; readonly body?: string; readonly timeoutMs?: number },
  ): Promise<string>
}
