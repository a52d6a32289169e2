import { InputError } from '../process/errors.ts'
import type { ImageSource } from './provider.ts'

/** Kubernetes minor taken when the user names none. `packages` builds what runs everywhere, cgroup v1 included. */
export const defaultKubernetesMinor: Readonly<Record<ImageSource, string>> = { registry: '1.36', packages: '1.34' }

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
