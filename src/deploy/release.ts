import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import type { Kubernetes } from '../kubernetes/client.ts'
import { type KubeObject, refOf } from '../kubernetes/objects.ts'
import type { Host } from '../process/host.ts'
import { sha256OfFile } from '../tools/file-digest.ts'
import { untilGone } from './apply-objects.ts'
import { findDrift } from './drift.ts'
import { digestOfFiles, filesBelow } from './folder-digest.ts'
import { type HelmUpgrade, helmUpgrade } from './helm.ts'
import { clearDeadOperation, manifestObjects } from './helm-record.ts'
import { withScopes } from './object-scopes.ts'

/** What the release was made from: chart, values and images. */
const inputsLabel = 'k8s-platform.inputs'

export interface ReleaseRequest {
  readonly kubeconfig: string
  readonly context?: string
  readonly namespace: string
  readonly upgrade: Omit<HelmUpgrade, 'labels'>
  /** Given to Helm by stdin: they may hold secrets. */
  readonly values: object
  /** Everything that a release is made from, for telling whether it is the same; see {@link digestOfInputs}. */
  readonly inputs: string
  /** Path of helm; asked for only when there is something to do. */
  readonly helm: () => Promise<string>
  readonly timeoutMs: number
}

export interface AppliedRelease {
  /** Helm's; it stays the same when there was nothing to do. */
  readonly revision: number
  readonly objects: readonly KubeObject[]
  readonly changed: boolean
  /** When Helm itself began, by the host's monotonic clock: compiling or fetching it is no part of the deployment's time. */
  readonly started: number
}

/**
 * Installs or upgrades by Helm. A release made from the same, which the cluster still holds unchanged, is found so by reading the cluster and is left as it is; what
 * was deleted or edited meanwhile is named and put right.
 */
export async function applyRelease(
  host: Host,
  kubernetes: Kubernetes,
  request: ReleaseRequest,
): Promise<AppliedRelease> {
  const { namespace, upgrade, inputs } = request
  const current = await findCurrent(host, kubernetes, namespace, upgrade.release, inputs)
  if (current !== undefined) return { ...current, changed: false, started: host.clock.monotonic() }
  const target = {
    helm: await request.helm(),
    kubeconfig: request.kubeconfig,
    ...(request.context === undefined ? {} : { context: request.context }),
    namespace,
  }
  const started = host.clock.monotonic()
  const labelled = { ...upgrade, labels: { [inputsLabel]: inputs } }
  const written = await helmUpgrade(host, target, labelled, request.values, request.timeoutMs)
  const objects = await withScopes(kubernetes, manifestObjects(written.manifest, namespace))
  return { revision: written.version, objects, changed: true, started }
}

/** The release as it stands, when it was made from the same and the cluster still holds it unchanged. */
async function findCurrent(
  host: Host,
  kubernetes: Kubernetes,
  namespace: string,
  release: string,
  inputs: string,
): Promise<{ revision: number; objects: KubeObject[] } | undefined> {
  const [latest] = await clearDeadOperation(host, kubernetes, namespace, release)
  if (latest?.status !== 'deployed' || latest.labels[inputsLabel] !== inputs) return undefined
  const objects = await withScopes(kubernetes, latest.objects())
  const drifted = await findDrift(kubernetes, objects)
  if (drifted.length > 0) {
    host.log.notice(`changed since the last deployment, put right now: ${drifted.join(', ')}`)
    await endingGone(kubernetes, objects)
    return undefined
  }
  host.log.info(`release ${release} is as it should be (revision ${latest.revision})`)
  return { revision: latest.revision, objects }
}

/** Helm would change what is ending, and it would end all the same. */
async function endingGone(kubernetes: Kubernetes, objects: readonly KubeObject[]): Promise<void> {
  const live = await Promise.all(objects.map((object) => kubernetes.get(refOf(object))))
  const ending = live.flatMap((object) => (object?.metadata.deletionTimestamp === undefined ? [] : object))
  await Promise.all(ending.map((object) => untilGone(kubernetes, object, endingMs)))
}

/** A pod's time to stop is part of it. */
const endingMs = 120_000

/** Fits a label's value: at most 63 characters. `chart` is a folder, an archive, or a reference with its version. */
export async function digestOfInputs(chart: string, values: readonly unknown[]): Promise<string> {
  const hash = createHash('sha256')
  hash.update(await digestOfChart(chart))
  hash.update(JSON.stringify(values))
  return hash.digest('hex').slice(0, 32)
}

async function digestOfChart(chart: string): Promise<string> {
  if (chart.startsWith('oci://')) return chart
  const found = await stat(chart)
  return found.isDirectory() ? digestOfFiles(chart, await filesBelow(chart)) : sha256OfFile(path.resolve(chart))
}
