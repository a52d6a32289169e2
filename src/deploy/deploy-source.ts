import { stat } from 'node:fs/promises'
import path from 'node:path'
import { InputError, type Problem } from '../process/errors.ts'
import { chartFiles } from './chart-files.ts'
import { confinement } from './manifest-files.ts'

/** What is deployed: exactly one of the three. */
export type DeploySource =
  | { readonly kind: 'chart'; readonly chart: string; readonly version?: string }
  | { readonly kind: 'kustomize'; readonly folder: string }
  | { readonly kind: 'manifests'; readonly paths: readonly string[] }

export interface SourceInputs {
  readonly chart?: string | undefined
  readonly chartVersion?: string | undefined
  readonly kustomize?: string | undefined
  readonly manifests?: readonly string[] | undefined
  readonly values?: readonly string[] | undefined
  readonly set?: readonly string[] | undefined
}

/** What contradicts itself among the inputs. */
export function deployProblems(inputs: {
  readonly chart?: string | undefined
  readonly 'chart-version'?: string | undefined
  readonly kustomize?: string | undefined
  readonly manifests?: readonly string[] | undefined
  readonly values?: readonly string[] | undefined
  readonly set?: readonly string[] | undefined
}): Problem[] {
  const { chart, kustomize, manifests, 'chart-version': version } = inputs
  const given = [chart, kustomize, manifests].filter((value) => value !== undefined)
  const problems: Problem[] = []
  if (given.length !== 1) {
    problems.push({
      name: 'chart, kustomize, manifests',
      problem: given.length === 0 ? 'are all missing' : 'exclude each other',
      allowed: 'exactly one of the three',
      example: 'manifests: k8s/',
    })
  }
  const remote = chart?.startsWith('oci://') === true
  if (remote && version === undefined)
    problems.push({
      name: 'chart-version',
      problem: 'is missing: a chart of a registry is taken by exact version',
      example: '1.2.3',
    })
  if (!remote && version !== undefined)
    problems.push({ name: 'chart-version', value: version, problem: 'is only for a chart of a registry (oci://)' })
  for (const name of ['values', 'set'] as const) {
    if (chart === undefined && inputs[name] !== undefined)
      problems.push({ name, problem: 'is only for a chart: a kustomization has overlays' })
  }
  return problems
}

/** @throws InputError for inputs that contradict each other. */
export function sourceOf(inputs: SourceInputs): DeploySource {
  const { chart, chartVersion, kustomize, manifests } = inputs
  const problems = deployProblems({ ...inputs, 'chart-version': chartVersion })
  if (problems.length > 0) throw new InputError(problems)
  if (chart !== undefined)
    return { kind: 'chart', chart, ...(chartVersion === undefined ? {} : { version: chartVersion }) }
  return kustomize === undefined
    ? { kind: 'manifests', paths: manifests ?? [] }
    : { kind: 'kustomize', folder: kustomize }
}

/** Of a chart that is no reference: inside of the root with all that its links lead to, and there. */
export async function chartProblems(chart: string, root: string | undefined): Promise<Problem[]> {
  if (chart.startsWith('oci://')) return []
  const problem = await confinement('chart', chart, root)
  if (problem !== undefined) return [problem]
  const found = await stat(chart)
  const definition = await stat(path.join(chart, 'Chart.yaml')).catch(() => undefined)
  const usable = found.isFile() ? /\.(tgz|tar\.gz)$/.test(chart) : definition?.isFile() === true
  if (usable) return found.isFile() ? [] : (await chartFiles(chart, root)).problems
  const allowed = 'a folder with Chart.yaml, a .tgz, or oci://registry/chart'
  return [{ name: 'chart', value: chart, problem: 'is no chart', allowed }]
}

/** A release's name where none is given: that of the chart, folder or file. */
export function defaultRelease(source: DeploySource): string {
  const from =
    source.kind === 'chart' ? source.chart : source.kind === 'kustomize' ? source.folder : (source.paths[0] ?? '')
  // Up to the part of a path that a glob leaves open.
  const fixed = path.resolve(from.split(/[*?[{]/)[0] ?? '')
  const named = /[*?[{]/.test(from) && !/[/]$/.test(from.split(/[*?[{]/)[0] ?? '') ? path.dirname(fixed) : fixed
  const name = path
    .basename(named)
    .replace(/\.(tgz|tar\.gz|ya?ml|json)$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 53)
    .replace(/-+$/, '')
  return name === '' ? 'app' : name
}
