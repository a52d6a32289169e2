import { UnsupportedError } from '../process/errors.ts'

/** Names of a machine's architecture as Go, Docker and the release pages write them. */
export type Architecture = 'amd64' | 'arm64'

/**
 * The architecture, or an {@link UnsupportedError} where nothing of ours can work. Called first by everything that creates something, so that the wrong
 * machine is told in the first second and not after a download.
 */
export function supportedArchitecture(machine: { readonly platform: string; readonly arch: string }): Architecture {
  const architecture = architectures.get(machine.arch)
  if (machine.platform === 'linux' && architecture !== undefined) return architecture
  throw new UnsupportedError(
    `${machine.platform} on ${machine.arch} is not supported: clusters need Linux on amd64 or arm64`,
    {
      code: 'PLATFORM_UNSUPPORTED',
      hint: 'On GitHub use `runs-on: ubuntu-latest` or `ubuntu-24.04-arm`; on a laptop use a Linux virtual machine or WSL 2.',
    },
  )
}

const architectures: ReadonlyMap<string, Architecture> = new Map([
  ['x64', 'amd64'],
  ['arm64', 'arm64'],
])
