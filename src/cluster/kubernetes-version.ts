import { InputError, UnsupportedError } from '../process/errors.ts'
import type { ImageSource } from './provider.ts'

/** Kubernetes minor taken when the user names none. `packages` builds what runs everywhere, cgroup v1 included. */
export const defaultKubernetesMinor: Readonly<Record<ImageSource, string>> = { registry: '1.36', packages: '1.34' }

/** From this minor on the kubelet refuses to start on a host with cgroup v1, unless its `failCgroupV1` is set to false. */
const firstMinorWithoutCgroup1 = 35

/**
 * Turns `1.36`, `1.36.x`, `v1.36.4`, `1.36.4` or nothing into an exact version out of `available` (exact versions, any order).
 * Throws InputError naming the rows when there is none: never another version than the one asked for.
 */
export function resolveKubernetesVersion(
  asked: string | undefined,
  imageSource: ImageSource,
  available: readonly string[],
): { readonly version: string; readonly defaulted: boolean } {
  const text = asked ?? defaultKubernetesMinor[imageSource]
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+|x))?$/.exec(text)
  const rows = [...available].sort(compareVersions).reverse()
  const problem = (what: string): InputError =>
    new InputError([
      {
        name: 'kubernetes-version',
        value: text,
        problem: what,
        allowed: `a minor or an exact version of: ${rows.join(', ')}`,
        example: rows[0] === undefined ? '1.36' : minorOf(rows[0]),
      },
    ])
  if (match === null) throw problem('is not a Kubernetes version')
  const [, major, minor, patch] = match
  const exact = patch !== undefined && patch !== 'x'
  const version = exact
    ? rows.find((row) => row === `${major}.${minor}.${patch}`)
    : rows.find((row) => row.startsWith(`${major}.${minor}.`))
  if (version === undefined) throw problem(`is not available with image-source ${imageSource}`)
  return { version, defaulted: asked === undefined }
}

/** Throws UnsupportedError where the host's cgroup version cannot run that Kubernetes. There is no silent downgrade. */
export function checkCgroupVersion(version: string, cgroupVersion: 1 | 2): void {
  const minor = Number(version.split('.')[1])
  if (cgroupVersion === 2 || !(minor >= firstMinorWithoutCgroup1)) return
  throw new UnsupportedError(
    `Kubernetes ${version} does not run on this host: it has cgroup v1, and 1.${firstMinorWithoutCgroup1} and newer need cgroup v2`,
    {
      code: 'CGROUP_V1',
      hint: 'Set `kubernetes-version: 1.34`, or boot the host with `systemd.unified_cgroup_hierarchy=1`.',
    },
  )
}

/** `1.36.4` -> `1.36`. */
export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.')
}

export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number)
  const right = b.split('.').map(Number)
  for (let index = 0; index < 3; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** The version in a node image's tag, `kindest/node:v1.36.4@sha256:...` -> `1.36.4`; undefined where the tag says nothing. */
export function versionOfNodeImage(image: string): string | undefined {
  return /:v?(\d+\.\d+\.\d+)(?:[-@]|$)/.exec(image)?.[1]
}
