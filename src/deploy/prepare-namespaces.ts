import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { NotReadyError, type Problem } from '../process/errors.ts'
import type { CheckOptions } from './check-objects.ts'
import { ensureNamespace, namespaceExists } from './namespace.ts'
import type { ScopedObject } from './object-scopes.ts'

export interface NamespaceRequest {
  /** Where the release itself lives. */
  readonly namespace: string
  /** Make those that are missing. */
  readonly create: boolean
  /** Make nothing. */
  readonly dryRun: boolean
  /** Takes the names of those made, one by one: whoever is interrupted here knows what to remove. */
  readonly made: string[]
}

export interface PreparedNamespaces {
  /** Not there: nothing in them can be judged by the server. */
  readonly missing: ReadonlySet<string>
  readonly problems: readonly Problem[]
}

/** What a controller of the cluster has to do in a moment. */
const controllerMs = 10_000

/**
 * The server judges an object only in a namespace that is there, so those are made first: as the manifests have them, else empty.
 */
export async function prepareNamespaces(
  kubernetes: Kubernetes,
  objects: readonly ScopedObject[],
  request: NamespaceRequest,
  options: CheckOptions,
): Promise<PreparedNamespaces> {
  const names = new Set([request.namespace, ...objects.flatMap(({ object }) => object.metadata.namespace ?? [])])
  const own = new Map(
    objects.flatMap(({ object }) => (isNamespace(object) ? [[object.metadata.name, object] as const] : [])),
  )
  const { made } = request
  const missing = new Set<string>()
  const problems: Problem[] = []
  for (const name of names) {
    const object = own.get(name)
    if (request.dryRun || (object === undefined && !request.create)) {
      if (await namespaceExists(kubernetes, name)) continue
      missing.add(name)
      if (!request.dryRun || (object === undefined && !request.create)) problems.push(absent(name))
    } else if (object === undefined) {
      if (await ensureNamespace(kubernetes, name)) made.push(name)
    } else if (!(await namespaceExists(kubernetes, name))) {
      await kubernetes.apply(object, { fieldManager: options.fieldManager })
      made.push(name)
    }
  }
  await Promise.all(made.map((name) => serviceAccountExists(kubernetes, name)))
  return { missing, problems }
}

function isNamespace(object: KubeObject): boolean {
  return object.apiVersion === 'v1' && object.kind === 'Namespace'
}

function absent(name: string): Problem {
  return {
    name: 'namespace',
    value: name,
    problem: 'does not exist, and `create-namespace` is false',
    allowed: 'a namespace that is there, or a Namespace among the manifests',
  }
}

/** A bare pod is refused until its controller has made it; should it not come, or may it not be looked at, the refusal of the pod says so better. */
async function serviceAccountExists(kubernetes: Kubernetes, namespace: string): Promise<void> {
  const scope = { namespace, fieldSelector: 'metadata.name=default' }
  try {
    await kubernetes.until(
      `the default ServiceAccount of ${namespace}`,
      { apiVersion: 'v1', kind: 'ServiceAccount' },
      scope,
      {
        timeoutMs: controllerMs,
        done: (seen) => seen.length > 0,
        explain: () => 'not made yet by its controller',
      },
    )
  } catch (error) {
    if (!(error instanceof NotReadyError || (error instanceof ApiError && error.status === 403))) throw error
  }
}
