import type { KubeObject } from '../kubernetes/objects.ts'
import { isMapping } from '../process/is-mapping.ts'

/** `nginx=shop/web:ci`: wherever a manifest names the image on the left, the one on the right is run. */
export interface ImageReplacement {
  /** Without tag and digest. */
  readonly name: string
  readonly image: string
}

/** Tells on the pods which image content they were made for: the same tag with another content rolls out, too. */
export const contentAnnotation = 'k8s-platform/image-content'

/**
 * Replaces images in every container of every pod template, and marks templates that run one of the loaded images with its digest. What is replaced nowhere is
 * returned by name: nobody writes a replacement in order that nothing happens.
 */
export function replaceImages(
  objects: readonly KubeObject[],
  replacements: readonly ImageReplacement[],
  digests: ReadonlyMap<string, string>,
): { objects: KubeObject[]; unused: string[] } {
  const used = new Set<string>()
  const replaced = objects.map((object) => {
    const change = (pod: Pod): Pod => {
      const containers = (list: readonly Container[]): Container[] =>
        list.map((container) => {
          // What is no container the server refuses, and says so better.
          if (typeof container?.image !== 'string') return container
          const name = fullName(repositoryOf(container.image))
          const replacement = replacements.find((entry) => fullName(entry.name) === name)
          if (replacement !== undefined) used.add(replacement.name)
          return replacement === undefined ? container : { ...container, image: replacement.image }
        })
      const spec = { ...pod.spec }
      for (const key of ['initContainers', 'containers'] as const) {
        const list = spec[key]
        if (Array.isArray(list)) spec[key] = containers(list as Container[])
      }
      const content = contentIn(spec, digests)
      if (content === undefined || object.kind === 'Pod') return { ...pod, spec }
      return { ...pod, metadata: withAnnotation(pod.metadata, content), spec }
    }
    return withPod(object, change)
  })
  return { objects: replaced, unused: replacements.filter(({ name }) => !used.has(name)).map(({ name }) => name) }
}

/** The content of loaded images that an object's pods are made from; undefined where they run none, and of a bare pod, which cannot be changed. */
export function contentOf(object: KubeObject, digests: ReadonlyMap<string, string>): string | undefined {
  let content: string | undefined
  withPod(object, (pod) => {
    content = contentIn(pod.spec ?? {}, digests)
    return pod
  })
  return object.kind === 'Pod' ? undefined : content
}

function contentIn(spec: NonNullable<Pod['spec']>, digests: ReadonlyMap<string, string>): string | undefined {
  const containers = [spec.initContainers, spec.containers].flatMap((list) =>
    Array.isArray(list) ? (list as Container[]) : [],
  )
  const found = containers.flatMap((container) =>
    typeof container?.image === 'string' ? (digests.get(canonical(container.image)) ?? []) : [],
  )
  return found.length === 0 ? undefined : [...new Set(found)].sort().join(',')
}

interface Container {
  readonly image?: string | undefined
}

interface Pod {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> }
  readonly spec?: { initContainers?: unknown; containers?: unknown }
}

function withAnnotation(metadata: Pod['metadata'], content: string): NonNullable<Pod['metadata']> {
  return { ...metadata, annotations: { ...metadata?.annotations, [contentAnnotation]: content } }
}

function withPod(object: KubeObject, change: (pod: Pod) => Pod): KubeObject {
  const spec = object['spec']
  if (object.kind === 'Pod' && object.apiVersion === 'v1') return { ...object, spec: change({ spec }).spec }
  if (object.kind === 'CronJob' && isMapping(spec?.jobTemplate?.spec?.template)) {
    const job = spec.jobTemplate
    const template = change(job.spec.template)
    return { ...object, spec: { ...spec, jobTemplate: { ...job, spec: { ...job.spec, template } } } }
  }
  const isTemplate = Array.isArray(spec?.template?.spec?.containers)
  return isTemplate ? { ...object, spec: { ...spec, template: change(spec.template) } } : object
}

/** `docker.io/library/nginx` of `nginx:1@sha256:…`, without tag and digest. */
export function repositoryOf(image: string): string {
  const [name = ''] = image.split('@')
  const slash = name.lastIndexOf('/')
  const colon = name.indexOf(':', slash + 1)
  return colon === -1 ? name : name.slice(0, colon)
}

/** `docker.io/library/nginx` for `nginx`: as container engines complete a name. */
function fullName(repository: string): string {
  const [first = '', ...rest] = repository.split('/')
  if (rest.length > 0 && (/[.:]/.test(first) || first === 'localhost'))
    return first === 'index.docker.io' ? `docker.io/${rest.join('/')}` : repository
  return rest.length === 0 ? `docker.io/library/${repository}` : `docker.io/${repository}`
}

/** Whole reference, with the tag that is meant where none is written. */
export function canonical(image: string): string {
  const repository = repositoryOf(image)
  const rest = image.slice(repository.length)
  return `${fullName(repository)}${rest === '' ? ':latest' : rest}`
}
