/** A Kubernetes object as the API gives it: plain JSON, no classes. */
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Metadata
  // biome-ignore lint/suspicious/noExplicitAny: the API's objects are open; features read the few fields they know through narrow helpers.
  readonly [field: string]: any
}

export interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly generation?: number
  readonly resourceVersion?: string
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[]
  readonly managedFields?: readonly unknown[]
}

/** Which resource: `{ apiVersion: 'apps/v1', kind: 'Deployment' }`. The plural is found by discovery, once per group version. */
export interface ResourceKind {
  readonly apiVersion: string
  readonly kind: string
}

export interface ObjectRef extends ResourceKind {
  readonly name: string
  readonly namespace?: string
}

export interface ListScope {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

/** `apps/v1 Deployment voting-app/vote` as people say it: `Deployment voting-app/vote`. */
export function describeRef(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace === undefined ? '' : `${ref.namespace}/`}${ref.name}`
}

export function refOf(object: KubeObject): ObjectRef {
  const { name, namespace } = object.metadata
  return { apiVersion: object.apiVersion, kind: object.kind, name, ...(namespace === undefined ? {} : { namespace }) }
}
