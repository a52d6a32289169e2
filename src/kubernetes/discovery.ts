import { UnsupportedError } from '../process/errors.ts'
import type { ListScope, ResourceKind } from './objects.ts'

interface ApiResourceList {
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[]
}

export interface Resource {
  readonly plural: string
  readonly namespaced: boolean
}

/** Knows the URL of every kind: asks the server once per group version. */
export class Discovery {
  readonly #fetch: (path: string) => Promise<string>
  readonly #known = new Map<string, Promise<ApiResourceList>>()

  constructor(fetch: (path: string) => Promise<string>) {
    this.#fetch = fetch
  }

  /** @throws UnsupportedError when the server has no such kind, for instance as its CRD is not installed. */
  async resource({ apiVersion, kind }: ResourceKind): Promise<Resource> {
    const group = groupPath(apiVersion)
    const found = await this.#find(group, kind)
    if (found !== undefined) return found
    // A CRD may have arrived since we asked: once more, afresh.
    this.#known.delete(group)
    const again = await this.#find(group, kind)
    if (again !== undefined) return again
    throw new UnsupportedError(`the cluster has no ${kind} in ${apiVersion}`, {
      code: 'KIND_UNKNOWN',
      hint: 'Install the CustomResourceDefinition first, or check apiVersion and kind.',
    })
  }

  async path(target: ResourceKind & { readonly name?: string; readonly namespace?: string }): Promise<string> {
    const { plural, namespaced } = await this.resource(target)
    const scope =
      namespaced && target.namespace !== undefined ? `/namespaces/${encodeURIComponent(target.namespace)}` : ''
    const name = target.name === undefined ? '' : `/${encodeURIComponent(target.name)}`
    return `${groupPath(target.apiVersion)}${scope}/${plural}${name}`
  }

  async #find(group: string, kind: string): Promise<Resource | undefined> {
    let list = this.#known.get(group)
    if (list === undefined) {
      list = this.#fetch(group).then((body) => JSON.parse(body) as ApiResourceList)
      this.#known.set(group, list)
      list.catch(() => this.#known.delete(group))
    }
    const resource = (await list).resources.find((entry) => entry.kind === kind && !entry.name.includes('/'))
    return resource === undefined ? undefined : { plural: resource.name, namespaced: resource.namespaced }
  }
}

export function groupPath(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
}

export function scopeQuery(scope: ListScope, extra: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(extra)
  if (scope.labelSelector !== undefined) query.set('labelSelector', scope.labelSelector)
  if (scope.fieldSelector !== undefined) query.set('fieldSelector', scope.fieldSelector)
  const text = query.toString()
  return text.length === 0 ? '' : `?${text}`
}
