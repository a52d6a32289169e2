import { resolveKubernetesVersion, versionOfNodeImage } from '../cluster/kubernetes-version.ts'
import type { ClusterRequest } from '../cluster/provider.ts'
import { supplyFor } from '../cluster/supply.ts'
import { chooseImageSource } from '../pipeline/choose-image-source.ts'
import { requestOf } from '../pipeline/request-of.ts'
import type { Stage } from '../pipeline/stages.ts'
import type { Host } from '../process/host.ts'
import { pathExists } from '../process/path-exists.ts'
import { type LoadedSpec, loadSpec } from '../spec/load-spec.ts'
import { resolveSettings, type Settings } from '../spec/settings.ts'
import type { Architecture } from '../tools/platform.ts'
import { type Command, exampleOf, type Parsed } from './arguments.ts'

/** One command: resolves with the exit code. `print` is for the answer (stdout); the host's log is for the way there (stderr). */
export type RunCommand = (
  host: Host,
  command: Command,
  parsed: Parsed,
  print: (text: string) => void,
) => Promise<number>

export const defaultSpecFile = 'platform.yaml'
export const defaultClusterName = 'k8s-platform'

/** A flag's text, or undefined. */
export function text(parsed: Parsed, name: string): string | undefined {
  const value = parsed.flags[name]
  return typeof value === 'string' ? value : undefined
}

/** Spec (given, or ./platform.yaml where there is one), profile and flags, merged. */
export async function settingsOf(
  host: Host,
  command: Command,
  parsed: Parsed,
): Promise<{ settings: Settings; spec: LoadedSpec | undefined }> {
  const file = text(parsed, 'spec') ?? ((await pathExists(defaultSpecFile)) ? defaultSpecFile : undefined)
  const spec = file === undefined ? undefined : await loadSpec(file)
  if (spec !== undefined) host.log.info(`following ${spec.file}`)
  const overrides = Object.fromEntries(
    Object.entries(command.flags).flatMap(([name, flag]) => {
      const value = parsed.flags[name]
      return flag.spec === undefined || value === undefined ? [] : [[flag.spec, value]]
    }),
  )
  const givenAs = Object.fromEntries(
    Object.entries(command.flags).flatMap(([name, flag]) => {
      const example = exampleOf(flag)
      return flag.spec === undefined
        ? []
        : [[flag.spec, { name: `--${name}`, ...(example === undefined ? {} : { example }) }]]
    }),
  )
  const profile = text(parsed, 'profile')
  const settings = resolveSettings({
    ...(spec === undefined ? {} : { spec }),
    ...(profile === undefined ? {} : { profile }),
    overrides,
    givenAs,
    defaultImageSource: 'auto',
  })
  return { settings, spec }
}

/** The cluster to ask for: named, and with the image source that a cluster of that name or the network here decides. */
export async function settledRequest(host: Host, settings: Settings): Promise<ClusterRequest> {
  const name = settings.cluster.name ?? defaultClusterName
  const hints = { ...settings.cluster, name }
  return requestOf(settings, {
    name,
    imageSource: await chooseImageSource(host, settings.cluster.imageSource, hints),
  })
}

/** The exact Kubernetes version that a request gets. @throws InputError where there is none. */
export async function versionFor(host: Host, request: ClusterRequest, architecture: Architecture): Promise<string> {
  if (request.nodeImage !== undefined)
    return versionOfNodeImage(request.nodeImage) ?? request.kubernetesVersion ?? 'unknown'
  const supply = await supplyFor({ request, architecture })
  return resolveKubernetesVersion(request.kubernetesVersion, request.imageSource, await supply.versions(host)).version
}

/** The stage to stop after; all of them by default. */
export function throughOf(parsed: Parsed): Stage {
  return (text(parsed, 'through') as Stage | undefined) ?? 'assert'
}
