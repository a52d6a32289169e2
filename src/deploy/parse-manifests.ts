import type { KubeObject, Metadata } from '../kubernetes/objects.ts'
import type { Problem } from '../process/errors.ts'
import { isMapping } from '../process/is-mapping.ts'
import { parseKubernetesYaml } from './kubernetes-yaml.ts'

/** A text with manifests, and what people call the place it came from. */
export interface ManifestText {
  readonly name: string
  readonly text: string
}

/** An object to apply, and where it is written: `k8s/app.yaml:12 (document 3)`. */
export interface SourcedObject {
  readonly object: KubeObject
  readonly at: string
}

/** More than any bundle of definitions has; the API server itself takes 3 MiB an object. */
const largestText = 32 * 1024 * 1024

/**
 * All objects of all texts, in their order; lists are taken apart, empty documents passed over. What the server writes itself (status, versions) is left out, so
 * that the output of `kubectl get -o yaml` can be applied. Pure.
 */
export function parseManifests(texts: readonly ManifestText[]): { objects: SourcedObject[]; problems: Problem[] } {
  const objects: SourcedObject[] = []
  const problems: Problem[] = []
  for (const { name, text } of texts) {
    if (Buffer.byteLength(text) > largestText) {
      problems.push({ name, problem: 'is too large', allowed: `at most ${largestText / 1024 / 1024} MiB` })
      continue
    }
    for (const document of parseKubernetesYaml(text)) {
      const at = place(name, document.line, document.number)
      if (document.problem !== undefined) {
        const { line, text: what } = document.problem
        problems.push({ name: place(name, line, document.number), problem: `is not usable YAML: ${what}` })
      } else if (document.content !== null) collect(document.content, at, objects, problems)
    }
  }
  problems.push(...twice(objects))
  return { objects, problems }
}

function place(name: string, line: number, document: number): string {
  return `${name}:${line} (document ${document})`
}

function collect(content: unknown, at: string, objects: SourcedObject[], problems: Problem[]): void {
  if (!isMapping(content)) {
    problems.push({ name: at, problem: 'is not an object', example: 'apiVersion: v1' })
    return
  }
  const { apiVersion, kind } = content
  const missing = [
    ...(isText(apiVersion) ? [] : ['apiVersion']),
    ...(isText(kind) ? [] : ['kind']),
    ...(isMapping(content['metadata']) || isList(content) ? [] : ['metadata']),
  ]
  if (missing.length > 0) {
    problems.push({ name: at, problem: `has no ${missing.join(', no ')}` })
    return
  }
  if (isList(content)) {
    for (const [index, item] of content.items.entries()) collect(item, `${at} items[${index}]`, objects, problems)
    return
  }
  const metadata = content['metadata'] as Record<string, unknown>
  const wrong = metadataProblem(metadata)
  if (wrong !== undefined) problems.push({ name: `${at} ${kind}`, ...wrong })
  else objects.push({ object: desired(content, metadata), at })
}

function metadataProblem(metadata: Record<string, unknown>): Omit<Problem, 'name'> | undefined {
  const { name, namespace, generateName } = metadata
  if (!isText(name)) {
    return isText(generateName)
      ? { problem: 'has metadata.generateName, so that every deployment would make another', allowed: 'metadata.name' }
      : { problem: 'has no metadata.name' }
  }
  if (namespace !== undefined && namespace !== null && !isText(namespace))
    return { problem: 'has a metadata.namespace that is not text' }
  for (const key of ['labels', 'annotations']) {
    const entries = metadata[key] ?? {}
    const bad = isMapping(entries) ? Object.entries(entries).find(([, value]) => typeof value !== 'string') : ['', '']
    if (bad !== undefined)
      return {
        problem: `has metadata.${key} whose values are not all text: ${bad[0]}`,
        example: `${key}: { "${bad[0] || 'a'}": "${isMapping(bad[1]) ? '' : String(bad[1])}" }`,
      }
  }
  return undefined
}

function desired(content: Record<string, unknown>, metadata: Record<string, unknown>): KubeObject {
  const {
    managedFields: _fields,
    resourceVersion: _version,
    uid: _uid,
    generation: _generation,
    creationTimestamp: _created,
    selfLink: _link,
    ...kept
  } = metadata
  if (kept['namespace'] === null) delete kept['namespace']
  const { status: _status, ...rest } = content
  return { ...rest, metadata: kept as unknown as Metadata } as KubeObject
}

/** Two objects of the same name would undo each other in an order that nobody sees. */
function twice(objects: readonly SourcedObject[]): Problem[] {
  const first = new Map<string, string>()
  return objects.flatMap(({ object, at }) => {
    const { name, namespace } = object.metadata
    const group = object.apiVersion.split('/').slice(0, -1).join('/')
    const key = JSON.stringify([group, object.kind, namespace ?? '', name])
    const before = first.get(key)
    if (before === undefined) {
      first.set(key, at)
      return []
    }
    return [{ name: at, problem: `is ${object.kind} ${name} again, which ${before} has` }]
  })
}

function isList(content: Record<string, unknown>): content is { kind: string; items: unknown[] } {
  return isText(content['kind']) && content['kind'].endsWith('List') && Array.isArray(content['items'])
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
