import { access } from 'node:fs/promises'
import type { Host } from '../process/host.ts'
import { type LoadedSpec, loadSpec } from '../spec/load-spec.ts'
import { resolveSettings, type Settings } from '../spec/settings.ts'
import type { Command, Parsed } from './arguments.ts'

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
  const file = text(parsed, 'spec') ?? ((await exists(defaultSpecFile)) ? defaultSpecFile : undefined)
  const spec = file === undefined ? undefined : await loadSpec(file)
  if (spec !== undefined) host.log.info(`following ${spec.file}`)
  const overrides = Object.fromEntries(
    Object.entries(command.flags).flatMap(([name, flag]) => {
      const value = parsed.flags[name]
      return flag.spec === undefined || value === undefined ? [] : [[flag.spec, value]]
    }),
  )
  const profile = text(parsed, 'profile')
  const settings = resolveSettings({
    ...(spec === undefined ? {} : { spec }),
    ...(profile === undefined ? {} : { profile }),
    overrides,
    defaultImageSource: 'auto',
  })
  return { settings, spec }
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
