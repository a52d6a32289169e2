import path from 'node:path'
import type { ImageSource } from '../cluster/provider.ts'
import { findHelm } from '../deploy/find-programs.ts'
import { givenValues } from '../deploy/helm.ts'
import type { HelmChoice } from '../deploy/helm-program.ts'
import { ensureNamespace, restrictedNamespace } from '../deploy/namespace.ts'
import { exposureOf, urlResolver } from '../deploy/node-port-urls.ts'
import { applyRelease, digestOfInputs } from '../deploy/release.ts'
import { waitForRollout } from '../deploy/rollout.ts'
import { awaitedOf } from '../deploy/rollout-state.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import type { Host } from '../process/host.ts'
import { silentLogger } from '../process/log.ts'
import { type AppImages, type ImageChoice, prepareVotingAppImages } from './image-plan.ts'
import { findLocalRegistry } from './local-registry.ts'
import { pushVotingAppImages } from './push-images.ts'
import type { ImageReference, PerService } from './services.ts'
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
  /** Where helm is to come from with `image-source: registry`. */
  readonly helmChoice?: HelmChoice
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
  const helm = Promise.resolve(options.helm ?? findHelm(host, options.imageSource, options.helmChoice))
  helm.catch(() => {})
  const connectAgain = (signal: AbortSignal): Promise<Kubernetes> =>
    connect({ ...host, signal, log: silentLogger }, cluster)
  const kubernetes = await connect(host, cluster)
  const chart = path.join(host.paths.assets, 'charts', 'voting-app')
  const images = await imageReferences(host, kubernetes, await prepared, options.registry)
  const planned = await plannedUrls(chart, user, await urlResolver(kubernetes))

  const values = deploymentValues(images, planned)
  const applied = await host.timings.phase('deploy the app', async () => {
    const namespaceMade = await ensureNamespace(kubernetes, namespace, restrictedNamespace)
    return applyRelease(host, kubernetes, {
      namespaceMade,
      connect: connectAgain,
      ...cluster,
      namespace,
      upgrade: { release, chart, values: [givenValues, ...(user === undefined ? [] : [user.file])] },
      values,
      inputs: await digestOfInputs(chart, [values, user?.text ?? null]),
      helm: () => helm,
      timeoutMs: options.timeoutMs,
    })
  })
  await host.timings.phase('roll out the app', () =>
    waitForRollout(host, kubernetes, {
      what: 'voting app',
      objects: awaitedOf(applied.objects),
      timeoutMs: Math.max(1, options.timeoutMs - (host.clock.monotonic() - applied.started)),
      connect: connectAgain,
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
