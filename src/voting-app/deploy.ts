import { createHash } from 'node:crypto'
import path from 'node:path'
import type { ImageSource } from '../cluster/provider.ts'
import { findDrift } from '../deploy/drift.ts'
import { digestOfFiles, filesBelow } from '../deploy/folder-digest.ts'
import { helmUpgrade } from '../deploy/helm.ts'
import { clearDeadOperation, manifestObjects } from '../deploy/helm-record.ts'
import { ensureNamespace } from '../deploy/namespace.ts'
import { waitForRollout } from '../deploy/rollout.ts'
import { awaitedOf } from '../deploy/rollout-state.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import type { Host } from '../process/host.ts'
import { silentLogger } from '../process/log.ts'
import { findHelm } from './find-helm.ts'
import { type AppImages, type ImageChoice, prepareVotingAppImages } from './image-plan.ts'
import { findLocalRegistry } from './local-registry.ts'
import { pushVotingAppImages } from './push-images.ts'
import type { ImageReference, PerService } from './services.ts'
import { exposureOf, urlResolver } from './urls.ts'
import { deploymentValues, plannedUrls, readUserValues } from './values.ts'

export interface VotingAppOptions {
  readonly kubeconfig: string
  readonly context?: string
  readonly namespace: string
  readonly images: ImageChoice
  readonly imageSource: ImageSource
  /** Images already on their way: the result of `prepareVotingAppImages`, started earlier. */
  readonly prepared?: Promise<AppImages>
  /** A Helm values file; it wins over what the deployment sets by itself. */
  readonly valuesFile?: string
  /** For everything after the images: Helm and the rollout. */
  readonly timeoutMs: number
  /** `127.0.0.1:<port>` of the cluster's registry; looked up in the cluster where not given. */
  readonly registry?: string
  /** Path of helm; found or built where not given. */
  readonly helm?: string | Promise<string>
}

export interface VotingAppDeployment {
  /** Undefined where the values expose no port. */
  readonly voteUrl: string | undefined
  readonly resultUrl: string | undefined
  readonly namespace: string
  /** Helm's; it stays the same when there was nothing to do. */
  readonly revision: number
  /** False when the release was found as it should be. */
  readonly changed: boolean
}

const release = 'voting-app'
/** What the release was made from: chart, values and images. */
const inputsLabel = 'k8s-platform.inputs'

/**
 * Deploys the five services by Helm from the toolkit's own files and waits, by watch, until exactly what the release holds has rolled out. Needs no checkout and no
 * secrets. A second deployment of the same finds it so by reading the cluster, changes nothing and is quick; what was deleted or edited meanwhile is put right.
 * @throws InputError for values the chart refuses; NotReadyError, which names the culprit, when a workload does not roll out in time.
 */
export async function deployVotingApp(
  host: Host,
  options: VotingAppOptions,
  connect: typeof createKubernetes = createKubernetes,
): Promise<VotingAppDeployment> {
  const { namespace } = options
  const cluster = {
    kubeconfig: options.kubeconfig,
    ...(options.context === undefined ? {} : { context: options.context }),
  }
  const user = options.valuesFile === undefined ? undefined : await readUserValues(options.valuesFile)
  const prepared = options.prepared ?? prepareVotingAppImages(host, { ...options, timeoutMs: imagesMs })
  const helm = Promise.resolve(options.helm ?? findHelm(host, options.imageSource))
  helm.catch(() => {})
  const kubernetes = await connect(host, cluster)
  const chart = path.join(host.paths.assets, 'charts', 'voting-app')
  const images = await imageReferences(host, kubernetes, await prepared, options.registry)
  const planned = await plannedUrls(chart, user, await urlResolver(kubernetes))

  const values = deploymentValues(images, planned)
  let started = host.clock.monotonic()
  const applied = await host.timings.phase('deploy the app', async () => {
    await ensureNamespace(kubernetes, namespace)
    const inputs = await digestOfInputs(chart, values, user?.text)
    const current = await findCurrent(host, kubernetes, namespace, inputs)
    if (current !== undefined) return { ...current, changed: false }
    const target = { ...cluster, helm: await helm, namespace }
    // Compiling or fetching Helm is no part of the deployment's time.
    started = host.clock.monotonic()
    const upgrade = {
      release,
      chart,
      labels: { [inputsLabel]: inputs },
      valuesFiles: user === undefined ? [] : [user.file],
    }
    const written = await helmUpgrade(host, target, upgrade, values, options.timeoutMs)
    return { revision: written.version, objects: manifestObjects(written.manifest, namespace), changed: true }
  })
  await host.timings.phase('roll out the app', () =>
    waitForRollout(host, kubernetes, {
      what: 'voting app',
      objects: awaitedOf(applied.objects),
      timeoutMs: Math.max(1, options.timeoutMs - (host.clock.monotonic() - started)),
      connect: (signal) => connect({ ...host, signal, log: silentLogger }, cluster),
    }),
  )
  // Read afresh: a cluster that is being made may have told its host ports meanwhile, and the cluster may have chosen a NodePort.
  const [urlOf, vote, result] = await Promise.all([
    urlResolver(kubernetes),
    exposureOf(kubernetes, namespace, 'vote-service'),
    exposureOf(kubernetes, namespace, 'result-service'),
  ])
  return {
    voteUrl: vote === undefined ? undefined : urlOf(vote),
    resultUrl: result === undefined ? undefined : urlOf(result),
    namespace,
    revision: applied.revision,
    changed: applied.changed,
  }
}

/** Cold, three images with their dependencies on a slow line. */
const imagesMs = 900_000

async function imageReferences(
  host: Host,
  kubernetes: Kubernetes,
  images: AppImages,
  registry: string | undefined,
): Promise<PerService<ImageReference>> {
  if (images.from === 'published') return images.references
  const target = registry ?? (await findLocalRegistry(kubernetes))
  return host.timings.phase('push the app', () => pushVotingAppImages(host, target, images.built))
}

/** The release as it stands, when it was made from the same and the cluster still holds it unchanged. */
async function findCurrent(
  host: Host,
  kubernetes: Kubernetes,
  namespace: string,
  inputs: string,
): Promise<{ revision: number; objects: KubeObject[] } | undefined> {
  const [latest] = await clearDeadOperation(host, kubernetes, namespace, release)
  if (latest?.status !== 'deployed' || latest.labels[inputsLabel] !== inputs) return undefined
  const objects = latest.objects()
  const drifted = await findDrift(kubernetes, objects)
  if (drifted.length > 0) {
    host.log.notice(`changed since the last deployment, put right now: ${drifted.join(', ')}`)
    return undefined
  }
  host.log.info(`release ${release} is as it should be (revision ${latest.revision})`)
  return { revision: latest.revision, objects }
}

/** A label's value: at most 63 characters. */
async function digestOfInputs(chart: string, values: object, userValues: string | undefined): Promise<string> {
  const hash = createHash('sha256')
  hash.update(await digestOfFiles(chart, await filesBelow(chart)))
  hash.update(JSON.stringify([values, userValues ?? null]))
  return hash.digest('hex').slice(0, 32)
}
