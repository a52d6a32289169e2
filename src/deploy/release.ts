import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import type { Kubernetes } from '../kubernetes/client.ts'
import { type KubeObject, refOf } from '../kubernetes/objects.ts'
import { deadlineSignal } from '../process/deadline.ts'
import { InputError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { sha256OfFile } from '../tools/file-digest.ts'
import { untilGone } from './apply-objects.ts'
import { chartFiles } from './chart-files.ts'
import { requestsAtOnce } from './check-objects.ts'
import { findDrift } from './drift.ts'
import { digestOfFiles } from './folder-digest.ts'
import { type HelmUpgrade, helmUpgrade } from './helm.ts'
import { clearDeadOperation, manifestObjects, releaseRecords } from './helm-record.ts'
import { type Digests, rollOutContent, staleContent } from './image-content.ts'
import { inParallel } from './in-parallel.ts'
import { type Connect, removeNamespaces } from './namespace.ts'
import { withScopes } from './object-scopes.ts'

/** What the release was made from: chart, values and images. */
const inputsLabel = 'k8s-platform.inputs'

export interface ReleaseRequest {
  readonly kubeconfig: string
  readonly context?: string
  readonly namespace: string
  /** Whether the namespace was made for this release: it is taken back when Helm has not even begun. */
  readonly namespaceMade: boolean
  /** For taking it back, after a cancellation too. */
  readonly connect: Connect
  readonly upgrade: Omit<HelmUpgrade, 'labels'>
  /** Given to Helm by stdin: they may hold secrets. */
  readonly values: object
  /** Everything that a release is made from, for telling whether it is the same; see {@link digestOfInputs}. */
  readonly inputs: string
  /** Of images that were loaded under names that may have had another content before. */
  readonly digests?: Digests
  /** Path of helm; asked for only when there is something to do. */
  readonly helm: () => Promise<string>
  /** For all of it, waiting for others' operations included; not for finding helm. */
  readonly timeoutMs: number
}

export interface AppliedRelease {
  /** Helm's; it stays the same when there was nothing to do. */
  readonly revision: number
  readonly objects: readonly KubeObject[]
  readonly changed: boolean
  /** Those of the release before it as they were in the cluster then; empty when there was nothing to do. */
  readonly before: readonly KubeObject[]
  /** When it began, by the host's monotonic clock, moved on by the time that compiling or fetching helm took: that is no part of the deployment's. */
  readonly started: number
}

/** As {@link upgradeRelease}; when Helm has not even begun, nothing is left of a namespace that was made for it. */
export async function applyRelease(
  host: Host,
  kubernetes: Kubernetes,
  request: ReleaseRequest,
): Promise<AppliedRelease> {
  try {
    return await upgradeRelease(host, kubernetes, request)
  } catch (error) {
    if (request.namespaceMade) await removeUnused(host, request)
    throw error
  }
}

const lookMs = 5_000

/** Helm writes its record before any object: without one the namespace was made for nothing. */
async function removeUnused(host: Host, { namespace, upgrade, connect }: ReleaseRequest): Promise<void> {
  const begun = async (): Promise<boolean> => {
    const kubernetes = await connect(deadlineSignal(lookMs))
    return (await releaseRecords(kubernetes, namespace, upgrade.release)).length > 0
  }
  // Who cannot tell leaves it.
  if (!(await begun().catch(() => true))) await removeNamespaces(host, connect, [namespace])
}

/**
 * Installs or upgrades by Helm. A release made from the same, which the cluster still holds unchanged, is found so by reading the cluster and is left as it is; what
 * was deleted or edited meanwhile is named and put right.
 */
async function upgradeRelease(host: Host, kubernetes: Kubernetes, request: ReleaseRequest): Promise<AppliedRelease> {
  const { namespace, upgrade, inputs, digests = new Map() } = request
  const began = host.clock.monotonic()
  const left = (since: number): number => Math.max(1, request.timeoutMs - (host.clock.monotonic() - since))
  const [latest] = await clearDeadOperation(host, kubernetes, namespace, upgrade.release, left(began))
  const former = latest === undefined ? [] : await withScopes(kubernetes, latest.objects())
  if (latest?.status === 'deployed' && latest.labels[inputsLabel] === inputs) {
    const found = [await findDrift(kubernetes, former), await staleContent(kubernetes, former, digests)]
    const drifted = [...new Set(found.flat())]
    if (drifted.length === 0) {
      host.log.info(`release ${upgrade.release} is as it should be (revision ${latest.revision})`)
      return { revision: latest.revision, objects: former, before: [], changed: false, started: began }
    }
    host.log.notice(`changed since the last deployment, put right now: ${drifted.join(', ')}`)
    await endingGone(kubernetes, await presentObjects(kubernetes, former), left(began))
  }
  const before = await presentObjects(kubernetes, former)
  const asked = host.clock.monotonic()
  const helm = await request.helm()
  const started = began + (host.clock.monotonic() - asked)
  const { kubeconfig, context } = request
  const target = { helm, kubeconfig, ...(context === undefined ? {} : { context }), namespace }
  const labelled = { ...upgrade, labels: { [inputsLabel]: inputs } }
  const isNew = digests.size === 0 ? () => false : await newSince(kubernetes, before)
  const written = await helmUpgrade(host, target, labelled, request.values, left(started))
  const objects = await withScopes(kubernetes, manifestObjects(written.manifest, namespace))
  await rollOutContent(kubernetes, objects, digests, isNew)
  return { revision: written.version, objects, before, changed: true, started }
}

/**
 * Tells what is made from now on. Not being of the former release is not enough: an operation that was killed leaves objects that no record tells of, and Helm takes them
 * over. Where the server's clock cannot be had nothing counts as new: one rollout too many rather than old pods.
 */
async function newSince(kubernetes: Kubernetes, before: readonly KubeObject[]): Promise<(live: KubeObject) => boolean> {
  const now = await kubernetes.serverTime().catch(() => undefined)
  return ({ metadata: { uid, creationTimestamp = '' } }) =>
    now !== undefined &&
    !before.some(({ metadata }) => metadata.uid === uid) &&
    // Both in whole seconds, rounded down.
    Date.parse(creationTimestamp) >= now.getTime()
}

/** Those of the objects that the cluster has, as it has them. */
export async function presentObjects(kubernetes: Kubernetes, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  const live = await inParallel(objects, requestsAtOnce, (object) => kubernetes.get(refOf(object)))
  return live.filter((object) => object !== undefined)
}

/** Helm would change what is ending, and it would end all the same. */
async function endingGone(kubernetes: Kubernetes, live: readonly KubeObject[], timeoutMs: number): Promise<void> {
  const ending = live.filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
  await Promise.all(ending.map((object) => untilGone(kubernetes, object, Math.ceil(timeoutMs))))
}

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
  if (found.isFile()) return sha256OfFile(path.resolve(chart))
  const { files, problems } = await chartFiles(chart, undefined)
  if (problems.length > 0) throw new InputError(problems)
  return digestOfFiles(chart, files)
}
