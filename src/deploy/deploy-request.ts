import type { ImageSource } from '../cluster/provider.ts'
import type { Host } from '../process/host.ts'
import type { DeployRequest, DeployTools } from './deploy.ts'
import { defaultRelease, type SourceInputs, sourceOf } from './deploy-source.ts'
import type { HelmChoice } from './helm-program.ts'
import { parseJobImages } from './job-images.ts'
import { parseSetValues } from './set-values.ts'

/** What a person gives, by an action or on the command line, each as it is written there. */
export interface DeployInputs extends SourceInputs {
  readonly kubeconfig: string
  readonly context?: string | undefined
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

/** @throws InputError */
export function deployRequest(host: Pick<Host, 'env' | 'log'>, inputs: DeployInputs): DeployRequest {
  const source = sourceOf(inputs)
  const { values: setValues, secrets, variables } = parseSetValues(inputs.set ?? [], host.env)
  for (const secret of secrets) host.log.mask(secret)
  const { kubeconfig, context, createNamespace, prune, forceConflicts, dryRun, timeoutMs, root } = inputs
  return {
    kubeconfig,
    ...(context === undefined ? {} : { context }),
    source,
    release: inputs.release ?? defaultRelease(source),
    namespace: { name: inputs.namespace ?? 'default', given: inputs.namespace !== undefined },
    createNamespace,
    images: parseJobImages(inputs.images ?? []),
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

/** The programs by the image source, which is found out only when one of them is needed. */
export function deployTools(imageSource: () => Promise<ImageSource>, choice: HelmChoice = {}): DeployTools {
  return {
    helm: async (host) => (await import('./find-programs.ts')).findHelm(host, await imageSource(), choice),
    kubectl: async (host) => (await import('./find-programs.ts')).findKubectl(host, await imageSource(), choice),
    loadImages: async (...request) => (await import('../cluster/load-images.ts')).loadImages(...request),
  }
}
