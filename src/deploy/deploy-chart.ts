import path from 'node:path'
import type { Kubernetes } from '../kubernetes/client.ts'
import { type KubeObject, refOf } from '../kubernetes/objects.ts'
import { InputError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import type { AppliedObject } from './apply-objects.ts'
import { type Change, checkObjects, requestsAtOnce } from './check-objects.ts'
import type { AppliedObjects } from './deploy-objects.ts'
import { sameObject } from './drift.ts'
import { givenValues, type HelmRelease, type HelmTarget, type HelmUpgrade, helmUpgrade } from './helm.ts'
import { manifestObjects } from './helm-record.ts'
import type { Digests } from './image-content.ts'
import { inParallel } from './in-parallel.ts'
import { sameRef } from './inventory.ts'
import { type Connect, ensureNamespace, namespaceExists } from './namespace.ts'
import { withScopes } from './object-scopes.ts'
import type { DeployContent } from './read-deployment.ts'
import { applyRelease, digestOfInputs } from './release.ts'

export interface ChartRequest {
  readonly kubeconfig: string
  readonly context?: string
  readonly content: Extract<DeployContent, { kind: 'chart' }>
  readonly release: string
  readonly namespace: { readonly name: string }
  readonly createNamespace: boolean
  readonly valuesFiles: readonly string[]
  readonly setValues: object
  /** Of the job's images that were loaded. */
  readonly digests?: Digests
  readonly dryRun: boolean
  readonly timeoutMs: number
  /** Finds helm; called only when there is something to do. */
  readonly helm: () => Promise<string>
  readonly connect: Connect
}

/**
 * A chart by Helm, without `--wait`: readiness is ours to judge. A release made from the same chart, values and contents of loaded images that the cluster still holds
 * unchanged is left as it is.
 */
export async function deployChart(host: Host, kubernetes: Kubernetes, request: ChartRequest): Promise<AppliedObjects> {
  const { chart, version } = request.content.chart
  const namespace = request.namespace.name
  const upgrade = upgradeOf(request)
  if (request.dryRun) return plan(host, kubernetes, request)
  const contents = [...(request.digests ?? [])].sort()
  const made = [version ?? null, request.setValues, request.content.texts, ...(contents.length === 0 ? [] : [contents])]
  const inputs = await digestOfInputs(chart, made)
  const { started, ...applied } = await applyRelease(host, kubernetes, {
    ...request,
    namespace,
    namespaceMade: request.createNamespace && (await ensureNamespace(kubernetes, namespace)),
    upgrade,
    values: request.setValues,
    inputs,
  })
  const objects = await inParallel(applied.objects, requestsAtOnce, async (object): Promise<AppliedObject> => {
    const live = (await kubernetes.get(refOf(object))) ?? object
    return { object: live, change: applied.changed ? changeOf(applied.before, live) : 'unchanged' }
  })
  const { revision, changed } = applied
  return { objects, revision, changed, left: [], prune: nothingToPrune, started }
}

function upgradeOf({ content, release, valuesFiles }: ChartRequest): Omit<HelmUpgrade, 'labels'> {
  const { chart, version } = content.chart
  return {
    release,
    // Absolute, so that no name is read as an option.
    chart: chart.startsWith('oci://') ? chart : path.resolve(chart),
    ...(version === undefined ? {} : { version }),
    values: [...valuesFiles, givenValues],
  }
}

/** Helm has done so. */
const nothingToPrune: AppliedObjects['prune'] = async () => ({ removed: [], kept: [] })

/** By what the release before it had in the cluster. */
function changeOf(before: readonly KubeObject[], live: KubeObject): Change {
  const old = before.find((object) => sameRef(refOf(object), refOf(live)))
  if (old === undefined || old.metadata.uid !== live.metadata.uid) return 'create'
  return sameObject(old, { ...live, apiVersion: old.apiVersion }) ? 'unchanged' : 'change'
}

/** What Helm would write now, which the server has been asked about; nothing is changed. */
export async function renderChart(host: Host, request: ChartRequest): Promise<HelmRelease> {
  const { kubeconfig, context, namespace } = request
  const target: HelmTarget = {
    helm: await request.helm(),
    kubeconfig,
    namespace: namespace.name,
    ...(context === undefined ? {} : { context }),
  }
  const upgrade = { ...upgradeOf(request), labels: {}, dryRun: true }
  return helmUpgrade(host, target, upgrade, request.setValues, request.timeoutMs)
}

async function plan(host: Host, kubernetes: Kubernetes, request: ChartRequest): Promise<AppliedObjects> {
  const namespace = request.namespace.name
  const rendered = await renderChart(host, request)
  const objects = await withScopes(kubernetes, manifestObjects(rendered.manifest, namespace))
  const sources = objects.map((object) => ({ object, at: `chart ${request.content.chart.chart}`, kindIsNew: false }))
  // Helm owns the fields as another manager: taken as ours, so that only real differences count.
  const options = { fieldManager: 'k8s-platform', id: '', force: true }
  const there = await namespaceExists(kubernetes, namespace)
  // What is to be in a namespace that comes with the release cannot be judged before.
  const isJudged = ({ object }: { object: KubeObject }): boolean => there || object.metadata.namespace === undefined
  const { checked, problems } = await checkObjects(kubernetes, sources.filter(isJudged), options)
  if (problems.length > 0) throw new InputError(problems, { code: 'MANIFESTS_REFUSED', hint: 'Nothing was applied.' })
  const unjudged = sources
    .filter((source) => !isJudged(source))
    .map(({ object }) => ({ object, change: 'create' as const }))
  const all: AppliedObject[] = [...checked, ...unjudged]
  const changed = all.some(({ change }) => change !== 'unchanged')
  return { objects: all, revision: rendered.version, changed, left: [], prune: nothingToPrune }
}
