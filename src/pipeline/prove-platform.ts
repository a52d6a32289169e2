import type { Fleet } from '../assert/probe-pods.ts'
import type { RunSuitesOptions } from '../assert/run-suites.ts'
import { type SetupOptions, setupCluster } from '../cluster/create-cluster.ts'
import type { EarlyCluster, SetupResult } from '../cluster/finish-cluster.ts'
import type { ImageSource } from '../cluster/provider.ts'
import { findHelm } from '../deploy/find-programs.ts'
import { installMetricsServer } from '../platform/metrics-server.ts'
import { abortableHost } from '../process/abortable-host.ts'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import type { CheckRecord, RunRecord } from '../report/record.ts'
import type { Settings } from '../spec/settings.ts'
import { deployVotingApp, type VotingAppDeployment } from '../voting-app/deploy.ts'
import { prepareVotingAppImages } from '../voting-app/image-plan.ts'
import { dnsFromProbes } from './dns-from-probes.ts'
import { proveSuites } from './prove-suites.ts'
import { requestOf } from './request-of.ts'
import { reaches, type Stage } from './stages.ts'

export interface PlatformOptions {
  readonly clusterName: string
  readonly imageSource: ImageSource
  readonly through: Stage
  readonly setup: SetupOptions
  /** Folder for the reports. */
  readonly reportDir: string
}

export interface Platform {
  readonly cluster: SetupResult
  readonly app?: VotingAppDeployment
  readonly record?: RunRecord
}

const imagesMs = 900_000

/**
 * The tour: a cluster, its components, the app, the proof. What does not depend on each other runs at once: the app's images are built while the nodes boot, and
 * components and app are applied as soon as there is an API to apply them to, while the readiness gate still looks at the nodes.
 *
 * Resolves also when the verdict is red: look at `record.verdict`. Rejects with the cluster's failure where it has one, else with the one that came first in time. The
 * cluster is finished all the same where only something on it failed: half made, the next run could but remove it.
 */
export async function provePlatform(host: Host, settings: Settings, options: PlatformOptions): Promise<Platform> {
  const reached = (stage: Stage): boolean => reaches(options.through, stage)
  // The first failure ends what runs beside it, programs too, so that nothing goes on in a cluster that is being given up.
  const giveUp = new AbortController()
  const inner = abortableHost(host, giveUp.signal)
  const failures: unknown[] = []
  let making = true
  const run = <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error: unknown) => {
      failures.push(error)
      if (making && !inner.signal.aborted) host.log.info(`the cluster is finished first, then: ${messageOf(error)}`)
      giveUp.abort(error)
      return undefined
    })

  const images = reached('app')
    ? host.timings.phase('app images', () =>
        prepareVotingAppImages(inner, {
          images: settings.app.images,
          imageSource: options.imageSource,
          timeoutMs: imagesMs,
        }),
      )
    : undefined
  // Cold, helm is compiled: also while the nodes boot.
  const helm = reached('app') ? findHelm(inner, options.imageSource, settings.cluster) : undefined
  // Their failure counts from when it happens, not from when the app would need them.
  const early = [images === undefined ? undefined : run(images), helm === undefined ? undefined : run(helm)]

  const beside: Promise<unknown>[] = []
  let app: Promise<VotingAppDeployment | undefined> | undefined
  let proof: Promise<RunRecord | undefined> | undefined
  const begin = Promise.withResolvers<Pick<RunSuitesOptions, 'urls' | 'expected' | 'mayProbe'>>()
  const finished = Promise.withResolvers<unknown>()
  // They may be rejected before anybody waits for them, or when nobody ever will.
  for (const { promise } of [begin, finished]) promise.catch(() => {})
  const beginProof = (nodes: readonly unknown[], { voteUrl, resultUrl }: VotingAppDeployment): void =>
    begin.resolve({
      expected: { nodes: nodes.length },
      mayProbe: finished.promise,
      ...(voteUrl === undefined || resultUrl === undefined ? {} : { urls: { vote: voteUrl, result: resultUrl } }),
    })
  const fleet = Promise.withResolvers<Fleet>()
  fleet.promise.catch(() => {})
  // Settles also when no vote will ever be proven: probe pods wait for it.
  const provesVotes = settings.assertions.suites.includes('vote-flow')
  const voted = Promise.withResolvers<void>()
  giveUp.signal.addEventListener('abort', () => voted.resolve())
  // Skipped, where the vote was not even accepted.
  const onRecord = ({ id }: CheckRecord): void => {
    if (id === 'R4.stored') voted.resolve()
  }
  const start = ({ kubeconfig, context, imagesReady, reused }: EarlyCluster): void => {
    if (giveUp.signal.aborted) {
      fleet.reject(giveUp.signal.reason)
      return
    }
    const target = { kubeconfig, context }
    if (reached('platform') && settings.components.includes('metrics-server')) {
      beside.push(run(imagesReady.then(() => installMetricsServer(inner, target))))
    }
    if (images !== undefined) {
      app = run(
        imagesReady.then(() =>
          deployVotingApp(inner, {
            ...target,
            namespace: settings.app.namespace,
            images: settings.app.images,
            imageSource: options.imageSource,
            prepared: images,
            ...(helm === undefined ? {} : { helm }),
            timeoutMs: settings.app.timeoutMs,
            ...(settings.app.values === undefined ? {} : { valuesFile: settings.app.values }),
          }),
        ),
      )
      beside.push(app)
    }
    if (reached('assert')) {
      proof = run(
        proveSuites(inner, settings.assertions, {
          ...target,
          target: 'voting-app',
          namespace: settings.app.namespace,
          reportDir: options.reportDir,
          onRecord,
          // On new nodes the probe image would be unpacked beside the app's, which then comes up seconds later, and with it the first vote that is proven.
          early: {
            after: [imagesReady, ...(reused ? [] : [app, provesVotes ? voted.promise : undefined])],
            begin: begin.promise,
            onFleet: fleet.resolve,
          },
        }),
      )
      // Where it could not even begin, nobody is to wait for its pods.
      void proof.then(() => fleet.reject(giveUp.signal.reason))
    }
  }

  // While the probe pods start, what needs none of them is proven.
  const onAllButDns = async (nodes: readonly unknown[]): Promise<void> => {
    await Promise.all([...early, ...beside])
    const deployed = await app
    if (deployed !== undefined && failures.length === 0) beginProof(nodes, deployed)
  }
  const request = requestOf(settings, { name: options.clusterName, imageSource: options.imageSource })
  // Never given up: its failure is always its own.
  const [made] = await Promise.allSettled([
    setupCluster(host, request, {
      ...options.setup,
      ...(reached('assert') ? { askDns: dnsFromProbes(fleet.promise), onAllButDns } : {}),
      onKubeconfig: async (cluster) => {
        await options.setup.onKubeconfig?.(cluster)
        start(cluster)
      },
    }),
  ])
  making = false
  if (made.status === 'rejected') {
    finished.reject(made.reason)
    giveUp.abort(made.reason)
  } else finished.resolve(made.value)
  await Promise.all([...early, ...beside])
  if (made.status === 'rejected' || failures.length > 0) {
    // The cancellation of the others is a consequence: the first failure is the cause.
    const cause = made.status === 'rejected' ? made.reason : failures[0]
    begin.reject(cause)
    // Its probe pods go first.
    await proof
    throw cause
  }
  const cluster = made.value
  const deployed = await app
  if (deployed === undefined) return { cluster }
  if (proof === undefined) return { cluster, app: deployed }
  beginProof(cluster.nodes, deployed)
  const record = await proof
  if (record === undefined) throw failures[0]
  return { cluster, app: deployed, record }
}
