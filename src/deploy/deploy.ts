import type { LoadImages } from '../cluster/load-images.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import type { KubeObject, ObjectRef } from '../kubernetes/objects.ts'
import { InputError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { hostWithout } from '../process/host-without.ts'
import { silentLogger } from '../process/log.ts'
import type { AppliedObject } from './apply-objects.ts'
import { deployChart } from './deploy-chart.ts'
import { type AppliedObjects, deployObjects } from './deploy-objects.ts'
import { chartProblem, type DeploySource } from './deploy-source.ts'
import { type DeployedUrl, deployedUrls } from './deployed-urls.ts'
import { type JobImage, loadedDigests } from './job-images.ts'
import { renderKustomization } from './kustomize.ts'
import { readManifests } from './manifest-files.ts'
import { type ManifestText, parseManifests } from './parse-manifests.ts'
import { replaceImages } from './replace-images.ts'
import { waitForRollout } from './rollout.ts'
import { rolloutContext } from './rollout-context.ts'
import { awaitedOf } from './rollout-state.ts'

export interface DeployRequest {
  readonly kubeconfig: string
  readonly context?: string
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
  const { kubeconfig, context, source, release, namespace } = request
  const cluster = { kubeconfig, ...(context === undefined ? {} : { context }) }
  const connect = tools.connect ?? createKubernetes
  const texts = await readSource(host, request, tools)
  const kubernetes = await connect(host, cluster)
  const digests = await loadedDigests(host, request, tools.loadImages)
  const started = host.clock.monotonic()
  const applied = await host.timings.phase(`deploy ${release}`, () =>
    source.kind === 'chart'
      ? deployChart(host, kubernetes, { ...request, ...cluster, source, helm: () => tools.helm(host) })
      : applyTexts(host, kubernetes, request, texts, digests),
  )
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
      timeoutMs: Math.max(1, request.timeoutMs - (host.clock.monotonic() - (applied.started ?? started))),
      connect: (signal) => connect({ ...host, signal, log: silentLogger }, cluster),
    }),
  )
  // Only now: what is new stands, what is old may go.
  const pruned = request.prune ? await applied.prune() : []
  return {
    ...result,
    changed: changed || pruned.length > 0,
    pruned,
    left: applied.left.filter((ref) => !pruned.includes(ref)),
    urls: await deployedUrls(kubernetes, objects),
  }
}

/** A program that cannot start ends within seconds. */
const steadyMs = 5_000

/** Everything that can be wrong without a cluster is found here. */
async function readSource(host: Host, request: DeployRequest, tools: DeployTools): Promise<readonly ManifestText[]> {
  const { source, root } = request
  if (source.kind === 'kustomize') return [await renderKustomization(host, tools.kubectl(host), source.folder, root)]
  if (source.kind === 'chart') {
    const problem = await chartProblem(source.chart, root)
    if (problem !== undefined) throw new InputError([problem])
    return []
  }
  const { texts, problems } = await readManifests(source.paths, root)
  if (problems.length > 0) throw new InputError(problems)
  return texts
}

function applyTexts(
  host: Host,
  kubernetes: Kubernetes,
  request: DeployRequest,
  texts: readonly ManifestText[],
  digests: ReadonlyMap<string, string>,
): Promise<AppliedObjects> {
  const { objects, problems } = parseManifests(texts)
  if (objects.length === 0 && problems.length === 0)
    problems.push({ name: 'manifests', problem: 'hold no object: an empty deployment is a mistake' })
  const replaced = replaceImages(
    objects.map(({ object }) => object),
    request.images.flatMap(({ image, replaces }) => (replaces === undefined ? [] : [{ name: replaces, image }])),
    digests,
  )
  for (const name of replaced.unused) {
    problems.push({ name: 'images', value: `${name}=…`, problem: 'replaces an image that no object runs' })
  }
  return deployObjects(host, kubernetes, {
    ...request,
    problems,
    objects: objects.map(({ at }, index) => ({ at, object: replaced.objects[index] as KubeObject })),
  })
}
