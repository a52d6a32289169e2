import { InputError, type Problem } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { chartProblems, type DeploySource } from './deploy-source.ts'
import type { JobImage } from './job-images.ts'
import { renderKustomization } from './kustomize.ts'
import { readManifests } from './manifest-files.ts'
import { type ManifestText, parseManifests, type SourcedObject } from './parse-manifests.ts'
import { type ImageReplacement, replaceImages } from './replace-images.ts'
import { readValuesFiles } from './values-files.ts'

/** What is deployed, as read from this machine. */
export type DeployContent =
  | {
      readonly kind: 'chart'
      readonly chart: Extract<DeploySource, { kind: 'chart' }>
      /** Of the values files. */
      readonly texts: readonly string[]
    }
  | { readonly kind: 'objects'; readonly objects: readonly SourcedObject[] }

export interface ReadRequest {
  readonly source: DeploySource
  readonly images: readonly JobImage[]
  readonly valuesFiles: readonly string[]
  readonly root?: string
}

/**
 * Reads and checks all that is on this machine, before anything is fetched, loaded or asked of a cluster.
 * @param kubectl Called only for a kustomization that is there.
 * @throws InputError with every problem.
 */
export async function readDeployment(
  host: Host,
  request: ReadRequest,
  kubectl: () => Promise<string>,
): Promise<DeployContent> {
  const { source, root } = request
  if (source.kind === 'chart') {
    const values = await readValuesFiles(request.valuesFiles, root)
    told([...(await chartProblems(source.chart, root)), ...replacementsInChart(request.images), ...values.problems])
    return { kind: 'chart', chart: source, texts: values.texts }
  }
  const { texts, problems } =
    source.kind === 'manifests'
      ? await readManifests(source.paths, root)
      : { texts: [await renderKustomization(host, kubectl, source.folder, root)], problems: [] }
  const objects = parsed(texts, request.images, problems)
  told(problems)
  return { kind: 'objects', objects }
}

/** The replacements among the images of the job. */
export function replacementsOf(images: readonly JobImage[]): ImageReplacement[] {
  return images.flatMap(({ image, replaces }) => (replaces === undefined ? [] : [{ name: replaces, image }]))
}

function parsed(texts: readonly ManifestText[], images: readonly JobImage[], problems: Problem[]): SourcedObject[] {
  const { objects, problems: found } = parseManifests(texts)
  const isWhole = problems.length + found.length === 0
  problems.push(...found)
  // What is missing among objects that could not all be read is no finding.
  if (!isWhole) return objects
  if (objects.length === 0)
    problems.push({ name: 'manifests', problem: 'hold no object: an empty deployment is a mistake' })
  const { unused } = replaceImages(
    objects.map(({ object }) => object),
    replacementsOf(images),
    new Map(),
  )
  for (const name of unused)
    problems.push({ name: 'images', value: `${name}=…`, problem: 'replaces an image that no object runs' })
  return objects
}

function replacementsInChart(images: readonly JobImage[]): Problem[] {
  return replacementsOf(images).map(({ name }) => ({
    name: 'images',
    value: `${name}=…`,
    problem: 'cannot be replaced in a chart, whose values say which images it runs',
    allowed: 'the image alone, and its name by `values` or `set`',
  }))
}

function told(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new InputError(problems)
}
