import path from 'node:path'
import type { ImageSource } from '../cluster/provider.ts'
import { listStates } from '../cluster/state.ts'
import type { HelmChoice } from '../deploy/helm-program.ts'
import { chooseImageSource } from '../pipeline/choose-image-source.ts'
import { InputError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { loadSpec } from '../spec/load-spec.ts'
import { type GivenAs, resolveSettings, type Settings } from '../spec/settings.ts'
import type { RunnerEnvironment } from './environment.ts'

/** Spec, profile and inputs merged; inputs win. @throws InputError */
export async function jobSettings(context: {
  readonly inputs: { readonly spec: string | undefined; readonly profile: string | undefined }
  readonly overrides: Readonly<Record<string, unknown>>
  readonly givenAs: GivenAs
}): Promise<Settings> {
  const { spec, profile } = context.inputs
  return resolveSettings({
    ...(spec === undefined ? {} : { spec: await loadSpec(spec) }),
    ...(profile === undefined ? {} : { profile }),
    overrides: context.overrides,
    givenAs: context.givenAs,
    defaultImageSource: 'registry',
  })
}

/** What `download-base-url` and `helm-version` say of helm. */
export function helmChoiceOf(settings: Settings, version: string | undefined): HelmChoice {
  const { downloadBaseUrl } = settings.cluster
  return {
    ...(downloadBaseUrl === undefined ? {} : { downloadBaseUrl }),
    ...(version === undefined ? {} : { version }),
  }
}

export interface TargetCluster {
  readonly kubeconfig: string
  readonly context?: string
}

/** The cluster that an action works on: the inputs, else what an earlier step has exported. @throws InputError when there is neither. */
export function targetCluster(
  inputs: { readonly kubeconfig: string | undefined; readonly context: string | undefined },
  environment: RunnerEnvironment,
): TargetCluster {
  const kubeconfig = inputs.kubeconfig ?? environment.kubeconfig
  if (kubeconfig === undefined) {
    throw new InputError([
      {
        name: 'kubeconfig',
        problem: 'is missing, and KUBECONFIG is not set',
        allowed: 'path of a kubeconfig',
        example: '${{ steps.cluster.outputs.kubeconfig }}',
      },
    ])
  }
  return { kubeconfig, ...(inputs.context === undefined ? {} : { context: inputs.context }) }
}

/** What the cluster was made with where it is one of ours on this host, else what the settings say. */
export async function imageSourceOf(host: Host, settings: Settings, target: TargetCluster): Promise<ImageSource> {
  const kubeconfig = path.resolve(target.kubeconfig)
  const made = (await listStates(host)).find((state) => path.resolve(state.kubeconfig) === kubeconfig)
  return made?.imageSource ?? (await chooseImageSource(host, settings.cluster.imageSource, settings.cluster))
}
