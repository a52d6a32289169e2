import type { ImageSource } from '../cluster/provider.ts'
import { nameProblem, namespacePattern, releasePattern } from '../kubernetes/names.ts'
import { InputError, type Problem } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import type { DeployRequest, DeployTools } from './deploy.ts'
import { type DeploySource, defaultRelease, type SourceInputs, sourceOf } from './deploy-source.ts'
import type { HelmChoice } from './helm-program.ts'
import { parseJobImages } from './job-images.ts'
import { parseSetValues } from './set-values.ts'

/** What a person gives, by an action or on the command line, each as it is written there. */
export interface DeployInputs extends SourceInputs {
  readonly images?: readonly string[] | undefined
  readonly values?: readonly string[] | undefined
  readonly set?: readonly string[] | undefined
  readonly release?: string | undefined
  readonly namespace?: string | undefined
  readonly createNamespace: boolean
  readonly prune: boolean
  readonly forceConflicts: boolean
  readonly dryRun: boolean
  readonly timeoutMs: number
  readonly root?: string | undefined
}

/** @throws InputError with every problem. */
export function deployRequest(host: Pick<Host, 'env' | 'log'>, inputs: DeployInputs): DeployRequest {
  const problems: Problem[] = [
    ...nameProblem('release', inputs.release, releasePattern),
    ...nameProblem('namespace', inputs.namespace, namespacePattern),
  ]
  const read = <T>(part: () => T, otherwise: T): T => {
    try {
      return part()
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      problems.push(...error.problems)
      return otherwise
    }
  }
  const source = read((): DeploySource => sourceOf(inputs), { kind: 'manifests', paths: [] })
  const { values: setValues, secrets, variables } = read(() => parseSetValues(inputs.set ?? [], host.env), noValues)
  const images = read(() => parseJobImages(inputs.images ?? []), [])
  if (problems.length > 0) throw new InputError(problems)
  for (const secret of secrets) host.log.mask(secret)
  const { createNamespace, prune, forceConflicts, dryRun, timeoutMs, root } = inputs
  return {
    source,
    release: inputs.release ?? defaultRelease(source),
    namespace: { name: inputs.namespace ?? 'default', given: inputs.namespace !== undefined },
    createNamespace,
    images,
    valuesFiles: inputs.values ?? [],
    setValues,
    secretVariables: variables,
    prune,
    forceConflicts,
    dryRun,
    timeoutMs,
    ...(root === undefined ? {} : { root }),
  }
}

const noValues: ReturnType<typeof parseSetValues> = { values: {}, secrets: [], variables: [] }

/** The programs by the image source, which is found out only when one of them is needed. */
export function deployTools(
  cluster: DeployTools['cluster'],
  imageSource: () => Promise<ImageSource>,
  choice: HelmChoice = {},
): DeployTools {
  return {
    cluster,
    helm: async (host) => (await import('./find-programs.ts')).findHelm(host, await imageSource(), choice),
    kubectl: async (host) => (await import('./find-programs.ts')).findKubectl(host, await imageSource(), choice),
    loadImages: async (...request) => (await import('../cluster/load-images.ts')).loadImages(...request),
  }
}
