import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import type { Kubernetes } from '../kubernetes/client.ts'
import { type KubeObject, refOf } from '../kubernetes/objects.ts'
import { InputError, messageOf, type Problem } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import type { AppliedObject } from './apply-objects.ts'
import { checkObjects } from './check-objects.ts'
import type { AppliedObjects } from './deploy-objects.ts'
import type { DeploySource } from './deploy-source.ts'
import { type HelmTarget, type HelmUpgrade, helmUpgrade } from './helm.ts'
import { manifestObjects } from './helm-record.ts'
import { confinement } from './manifest-files.ts'
import { ensureNamespace } from './namespace.ts'
import { withScopes } from './object-scopes.ts'
import { applyRelease, digestOfInputs } from './release.ts'

export interface ChartRequest {
  readonly kubeconfig: string
  readonly context?: string
  readonly source: Extract<DeploySource, { kind: 'chart' }>
  readonly release: string
  readonly namespace: { readonly name: string }
  readonly createNamespace: boolean
  readonly valuesFiles: readonly string[]
  readonly setValues: object
  readonly images: readonly { readonly replaces?: string }[]
  readonly dryRun: boolean
  readonly timeoutMs: number
  readonly root?: string
  /** Finds helm; called only when there is something to do. */
  readonly helm: () => Promise<string>
}

/**
 * A chart by Helm, without `--wait`: readiness is ours to judge. A release made from the same chart and values that the cluster still holds unchanged is left as it is.
 */
export async function deployChart(host: Host, kubernetes: Kubernetes, request: ChartRequest): Promise<AppliedObjects> {
  const texts = await readValues(request)
  const { release, source } = request
  const { chart, version } = source
  const namespace = request.namespace.name
  const upgrade: Omit<HelmUpgrade, 'labels'> = {
    release,
    chart,
    ...(version === undefined ? {} : { version }),
    baseFiles: request.valuesFiles,
    valuesFiles: [],
  }
  if (request.dryRun) return plan(host, kubernetes, request, upgrade)
  if (request.createNamespace) await ensureNamespace(kubernetes, namespace)
  const applied = await applyRelease(host, kubernetes, {
    ...request,
    namespace,
    upgrade,
    values: request.setValues,
    inputs: await digestOfInputs(chart, [version ?? null, request.setValues, texts]),
    helm: request.helm,
  })
  const objects = await Promise.all(
    applied.objects.map(async (object): Promise<AppliedObject> => {
      const live = await kubernetes.get(refOf(object))
      return { object: live ?? object, change: applied.changed ? 'change' : 'unchanged' }
    }),
  )
  return {
    objects,
    revision: applied.revision,
    changed: applied.changed,
    left: [],
    prune: async () => [],
    started: applied.started,
  }
}

async function plan(
  host: Host,
  kubernetes: Kubernetes,
  request: ChartRequest,
  upgrade: Omit<HelmUpgrade, 'labels'>,
): Promise<AppliedObjects> {
  const namespace = request.namespace.name
  const { kubeconfig, context } = request
  const target: HelmTarget = {
    helm: await request.helm(),
    kubeconfig,
    namespace,
    ...(context === undefined ? {} : { context }),
  }
  const rendered = await helmUpgrade(
    host,
    target,
    { ...upgrade, labels: {}, dryRun: true },
    request.setValues,
    request.timeoutMs,
  )
  const objects = await withScopes(kubernetes, manifestObjects(rendered.manifest, namespace))
  const sources = objects.map((object) => ({ object, at: `chart ${upgrade.chart}`, kindIsNew: false }))
  // Helm owns the fields as another manager: taken as ours, so that only real differences count.
  const options = { fieldManager: 'k8s-platform', id: '', force: true }
  const there = (await kubernetes.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace })) !== undefined
  // What is to be in a namespace that comes with the release cannot be judged before.
  const isJudged = ({ object }: { object: KubeObject }): boolean => there || object.metadata.namespace === undefined
  const { checked, problems } = await checkObjects(kubernetes, sources.filter(isJudged), options)
  if (problems.length > 0) throw new InputError(problems, { code: 'MANIFESTS_REFUSED', hint: 'Nothing was applied.' })
  const unjudged = sources
    .filter((source) => !isJudged(source))
    .map(({ object }) => ({ object, change: 'create' as const }))
  const all: AppliedObject[] = [...checked, ...unjudged]
  const changed = all.some(({ change }) => change !== 'unchanged')
  return { objects: all, revision: rendered.version, changed, left: [], prune: async () => [] }
}

/** The texts of the values files, each a mapping. */
async function readValues(request: ChartRequest): Promise<string[]> {
  const problems: Problem[] = request.images
    .filter(({ replaces }) => replaces !== undefined)
    .map(({ replaces }) => ({
      name: 'images',
      value: `${replaces}=…`,
      problem: 'cannot be replaced in a chart, whose values say which images it runs',
      allowed: 'the image alone, and its name by `values` or `set`',
    }))
  const texts: string[] = []
  for (const file of request.valuesFiles) {
    const bad = (problem: string): Problem => ({
      name: 'values',
      value: file,
      problem,
      allowed: 'a YAML file of Helm values',
    })
    const outside = await confinement('values', file, request.root)
    if (outside !== undefined) {
      problems.push(outside)
      continue
    }
    try {
      const text = await readFile(file, 'utf8')
      const content: unknown = parse(text, { logLevel: 'silent' })
      if (content !== null && (typeof content !== 'object' || Array.isArray(content)))
        problems.push(bad('is not a mapping'))
      texts.push(text)
    } catch (error) {
      problems.push(bad(`cannot be read: ${messageOf(error).split('\n')[0]}`))
    }
  }
  if (problems.length > 0) throw new InputError(problems)
  return texts
}
