import { InputError } from '../process/errors.ts'
import { pinnedTools, type ToolName } from './pinned-tools.ts'

/** Which build of a tool is wanted, after parsing what the user wrote. */
export type ToolVersion =
  | { readonly kind: 'preinstalled' }
  | { readonly kind: 'exact'; readonly version: string; readonly sha256: string | undefined }

/**
 * Parses `0.33.0`, `v0.33.0`, `0.32.0@sha256:<64 hex>`, `preinstalled` or nothing (the pinned default).
 * `input` is the name of the input for the error, such as `provider-version`. Throws InputError.
 */
export function parseToolVersion(input: string, tool: ToolName, text: string | undefined): ToolVersion {
  if (text === undefined || text === '')
    return { kind: 'exact', version: pinnedTools[tool].defaultVersion, sha256: undefined }
  if (text === 'preinstalled') return { kind: 'preinstalled' }
  const match = /^v?(\d+\.\d+\.\d+)(?:@sha256:([0-9a-f]{64}))?$/.exec(text)
  if (match?.[1] === undefined) {
    throw new InputError([
      {
        name: input,
        value: text,
        problem: `is not a version of ${tool}`,
        allowed: `preinstalled, or an exact version: ${knownVersions(tool)}, or any other with its digest`,
        example: `${pinnedTools[tool].defaultVersion}, or 9.9.9@sha256:<64 hex digits of the file>`,
      },
    ])
  }
  return { kind: 'exact', version: match[1], sha256: match[2] }
}

/** `1.37.0, 1.36.4`. */
export function knownVersions(tool: ToolName): string {
  return Object.keys(pinnedTools[tool].digests).join(', ')
}
