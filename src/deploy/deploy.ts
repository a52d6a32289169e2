import type { LoadImages } from '../cluster/load-images.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import type { KubeObject, ObjectRef } from '../kubernetes/objects.ts'
import type { Host } from '../process/host.ts'
import { hostWithout } from '../process/host-without.ts'
import { silentLogger } from '../process/log.ts'
import type { AppliedObject } from './apply-objects.ts'
import { deployChart } from './deploy-chart.ts'
import { deployObjects } from './deploy-objects.ts'
import type { DeploySource } from './deploy-source.ts'
import { type DeployedUrl, deployedUrls } from './deployed-urls.ts'
import { type JobImage, loadedDigests } from './job-images.ts'
import type { Connect } from './namespace.ts'
import type { SourcedObject } from './parse-manifests.ts'
import { readDeployment, replacementsOf } from './read-deployment.ts'
import { replaceImages } from './replace-images.ts'
import { waitForRollout } from './rollout.ts'
import { rolloutContext } from './rollout-context.ts'
import { awaitedOf } from './rollout-state.ts'

export interface DeployRequest {
  readonly source: DeploySource
  /** Name of the release: of the Helm release, or of the inventory of what was applied. */
  readonly release: string
  /** For what names none. Given by a person, nothing may name another. */
  readonly namespace: { readonly name: string; readonly given: boolean }
  readonly createNamespace: boolean
  readonly images: readonly JobImage[]
  /** Helm values files, later ones win. */
  readonly valuesFiles: readonly string[]
  /** Values one by one; they win over files. */
  readonly setValues: object
  /** Variables that `setValues` were read from: no program is given them. */
  readonly secretVariables: readonly string[]
  /** Remove what former deployments of the release made and this one has no more. Helm always does. */
  readonly prune: boolean
  readonly forceConflicts: boolean
  /** Only tell what would be done. */
  readonly dryRun: boolean
  /** For applying and becoming ready together; images and programs have their own before it. */
  readonly timeoutMs: number
  /** Folder that no path may lead out of. */
  readonly root?: string
}

/** What the deployment needs from elsewhere, found only when needed. */
export interface DeployTools {
  /** The cluster to deploy to: looked for last, when all that is given has been found good. */
  readonly cluster: () => Promise<{ readonly kubeconfig: string; readonly context?: string }>
  readonly helm: (host: Host) => Promise<string>
  readonly kubectl: (host: Host) => Promise<string>
  readonly loadImages: LoadImages
  readonly connect?: typeof createKubernetes
}

export interface Deployment {
  readonly release: string
  readonly namespace: string
  readonly revision: number
  /** False when everything was found as it should be, and nothing was written. */
  readonly changed: boolean
  readonly dryRun: boolean
  readonly objects: readonly AppliedObject[]
  readonly pruned: readonly ObjectRef[]
  /** In the manifests no more, and still there. */
  readonly left: readonly ObjectRef[]
  readonly urls: readonly DeployedUrl[]
}

/**
 * Deploys a chart, a kustomization or manifests with the job's images, and waits by watch until exactly what was applied is ready. A second deployment of the same
 * changes nothing; what was deleted or edited in between is put right.
 * @throws InputError with every problem before anything is changed; NotReadyError that names the culprit when something does not become ready.
 */
export async function deploy(given: Host, request: DeployRequest, tools: DeployTools): Promise<Deployment> {
  const host = hostWithout(given, request.secretVariables)
  const { release, namespace } = request
  const content = await readDeployment(host, request, () => tools.kubectl(host))
  const cluster = await tools.cluster()
  const connectFor = tools.connect ?? createKubernetes
  const connect: Connect = (signal) => connectFor({ ...host, signal, log: silentLogger }, cluster)
  const kubernetes = await connectFor(host, cluster)
  const digests = await loadedDigests(host, { ...request, ...cluster }, tools.loadImages)
  const started = host.clock.monotonic()
  const applied = await host.timings.phase(`deploy ${release}`, () =>
    content.kind === 'chart'
      ? deployChart(host, kubernetes, {
          ...request,
          ...cluster,
          content,
          digests,
          helm: () => tools.helm(host),
          connect,
        })
      : deployObjects(host, kubernetes, {
          ...request,
          objects: withImages(content.objects, request, digests),
          connect,
        }),
  )
  const left = (): number =>
    Math.max(1, Math.ceil(request.timeoutMs - (host.clock.monotonic() - (applied.started ?? started))))
  const { objects: found, revision, changed } = applied
  const result = { release, namespace: namespace.name, dryRun: request.dryRun, revision, changed, objects: found }
  if (request.dryRun) return { ...result, pruned: request.prune ? applied.left : [], left: applied.left, urls: [] }
  const objects = found.map(({ object }) => object)
  await host.timings.phase(`roll out ${release}`, async () =>
    waitForRollout(host, kubernetes, {
      what: release,
      objects: awaitedOf(objects),
      context: await rolloutContext(kubernetes, objects),
      steadyMs: changed ? steadyMs : 0,
      timeoutMs: left(),
      connect,
    }),
  )
  // Only now: what is new stands, what is old may go.
  const { removed, kept } = request.prune ? await applied.prune(left()) : { removed: [], kept: applied.left }
  return {
    ...result,
    changed: changed || removed.length > 0,
    pruned: removed,
    left: kept,
    urls: await deployedUrls(host, kubernetes, objects),
  }
}

/** A program that cannot start ends within seconds. */
const steadyMs = 5_000

function withImages(
  sources: readonly SourcedObject[],
  request: DeployRequest,
  digests: ReadonlyMap<string, string>,
): SourcedObject[] {
  const given = sources.map(({ object }) => object)
  const { objects } = replaceImages(given, replacementsOf(request.images), digests)
  return sources.map(({ at }, index) => ({ at, object: objects[index] as KubeObject }))
}
