import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { describeRef, type KubeObject, refOf } from '../kubernetes/objects.ts'
import { ToolkitError } from '../process/errors.ts'
import { requestsAtOnce } from './check-objects.ts'
import { inParallel } from './in-parallel.ts'
import { contentAnnotation, contentOf } from './replace-images.ts'

/** Digests of the job's images that were loaded, by full name. */
export type Digests = ReadonlyMap<string, string>

/** Owns nothing but the annotations, so that neither Helm nor the look for drift takes them away. */
const fieldManager = 'k8s-platform/image-content'

/**
 * Objects of a chart whose pods were made for another content of the loaded images than the nodes have now, or for one that nobody has noted. What each was made for
 * stands in an annotation of its own; {@link rollOutContent} writes it.
 */
export async function staleContent(
  kubernetes: Kubernetes,
  objects: readonly KubeObject[],
  digests: Digests,
): Promise<string[]> {
  const stale = await inParallel(madeFrom(objects, digests), requestsAtOnce, async ({ object, content }) => {
    const live = await kubernetes.get(refOf(object))
    return live === undefined || notedOn(live) === content ? [] : [describeRef(refOf(object))]
  })
  return stale.flat()
}

/**
 * Makes workloads of a chart run the content that was loaded: Helm sees the tag alone, and a manifest that is the same restarts nothing. What is new has started with it:
 * that is noted on the object, which starts no pod twice. On anything else the pod template says it, too, and rolls out by that.
 * @throws ToolkitError APPLY_FAILED for what cannot roll out, such as a Job.
 */
export async function rollOutContent(
  kubernetes: Kubernetes,
  objects: readonly KubeObject[],
  digests: Digests,
  isNew: (live: KubeObject) => boolean,
): Promise<void> {
  await inParallel(madeFrom(objects, digests), requestsAtOnce, async ({ object, content }) => {
    const live = await kubernetes.get(refOf(object))
    if (live === undefined || notedOn(live) === content) return
    await note(kubernetes, object, live, content, isNew(live))
  })
}

function madeFrom(
  objects: readonly KubeObject[],
  digests: Digests,
): { readonly object: KubeObject; readonly content: string }[] {
  return objects.flatMap((object) => {
    const content = contentOf(object, digests)
    return content === undefined ? [] : [{ object, content }]
  })
}

function notedOn({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[contentAnnotation]
}

async function note(
  kubernetes: Kubernetes,
  { apiVersion, kind }: KubeObject,
  { metadata: { name, namespace, uid } }: KubeObject,
  content: string,
  isNew: boolean,
): Promise<void> {
  const annotations = { [contentAnnotation]: content }
  const template = { template: { metadata: { annotations } } }
  const spec = kind === 'CronJob' ? { jobTemplate: { spec: template } } : template
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    // One that was deleted meanwhile is not to be made by this.
    ...(uid === undefined ? {} : { uid }),
    annotations,
  }
  const object: KubeObject = { apiVersion, kind, metadata, ...(isNew ? {} : { spec }) }
  try {
    await kubernetes.apply(object, { fieldManager, strict: true })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const which = describeRef(refOf(object))
    throw new ToolkitError(
      `${which} was not made for the content that its image has now, and cannot be rolled out: ${error.answer}`,
      {
        code: 'APPLY_FAILED',
        hint: 'Delete what cannot be changed in place, such as a Job, and run this again; or let the chart name it anew whenever its image changes.',
        cause: error,
      },
    )
  }
}
