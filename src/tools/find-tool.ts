import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { messageOf, UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { download } from './download.ts'
import { sha256OfFile } from './file-digest.ts'
import { pinnedTools, type ToolName } from './pinned-tools.ts'
import type { Architecture } from './platform.ts'
import type { ToolCache } from './tool-cache.ts'
import { knownVersions, type ToolVersion } from './tool-request.ts'

export interface FindTool {
  readonly tool: ToolName
  readonly version: ToolVersion
  readonly architecture: Architecture
  /** Where runners keep tools between jobs; without one the toolkit's own cache folder serves. */
  readonly toolCache?: ToolCache
  /** Replaces scheme and host of the pinned download, `https://mirror.example.com/github`. */
  readonly downloadBaseUrl?: string
  /** PATH, as the caller's environment has it. */
  readonly searchPath: string
  /** Pause between download tries; tests shorten it. */
  readonly backOffMs?: number
}

export interface FoundTool {
  readonly tool: ToolName
  readonly path: string
  /** Exact version, or `preinstalled` where the user opted in to whatever PATH has. */
  readonly version: string
  readonly from: 'tool-cache' | 'download' | 'PATH' | 'packages'
}

/**
 * Finds a tool: the tool cache, then the pinned download, then PATH when the file there is byte for byte the pinned one. `preinstalled` opts in to PATH as it
 * is. Never substitutes another version. Rejects with UnsupportedError for a version without a digest, DownloadError when nothing else is left.
 */
export async function findTool(host: Host, wanted: FindTool): Promise<FoundTool> {
  if (wanted.version.kind === 'preinstalled') return preinstalled(wanted)
  const { version } = wanted.version
  const sha256 = wanted.version.sha256 ?? pinnedTools[wanted.tool].digests[version]?.[wanted.architecture]
  if (sha256 === undefined) {
    throw new UnsupportedError(
      `${wanted.tool} ${version} has no digest pinned in this release; pinned: ${knownVersions(wanted.tool)}`,
      {
        code: 'TOOL_UNPINNED',
        hint: `Give the digest with the version, \`${version}@sha256:<64 hex digits>\`, or opt in to what is installed with \`preinstalled\`.`,
      },
    )
  }
  const found = (path: string, from: FoundTool['from']): FoundTool => ({ tool: wanted.tool, path, version, from })

  const cached = wanted.toolCache?.find(wanted.tool, version, wanted.architecture)
  for (const path of [
    cached === undefined ? undefined : join(cached, wanted.tool),
    ownCachePath(host, wanted, version),
  ]) {
    if (path !== undefined && (await hasDigest(path, sha256))) return found(path, 'tool-cache')
  }
  try {
    return found(await fetchTool(host, wanted, version, sha256), 'download')
  } catch (error) {
    const onPath = await firstOnPath(wanted.tool, wanted.searchPath)
    if (onPath === undefined || host.signal.aborted || !(await hasDigest(onPath, sha256))) throw error
    host.log.info(`${messageOf(error)}; ${onPath} is the same file, so it is used`)
    return found(onPath, 'PATH')
  }
}

async function fetchTool(host: Host, wanted: FindTool, version: string, sha256: string): Promise<string> {
  const definition = pinnedTools[wanted.tool]
  const base = (wanted.downloadBaseUrl ?? definition.baseUrl).replace(/\/+$/, '')
  const destination = ownCachePath(host, wanted, version)
  await download(host, {
    what: `${wanted.tool} ${version}`,
    url: `${base}${definition.path(version, wanted.architecture)}`,
    sha256,
    destination,
    ...(wanted.backOffMs === undefined ? {} : { backOffMs: wanted.backOffMs }),
  })
  if (wanted.toolCache === undefined) return destination
  const folder = await wanted.toolCache.cacheFile(destination, wanted.tool, wanted.tool, version, wanted.architecture)
  return join(folder, wanted.tool)
}

async function preinstalled(wanted: FindTool): Promise<FoundTool> {
  const path = await firstOnPath(wanted.tool, wanted.searchPath)
  if (path !== undefined) return { tool: wanted.tool, path, version: 'preinstalled', from: 'PATH' }
  throw new UnsupportedError(`${wanted.tool} is asked for as preinstalled, but no folder of PATH has it`, {
    code: 'TOOL_MISSING',
    hint: `Install ${wanted.tool}, or leave the version out: then the pinned one is downloaded and verified.`,
  })
}

/** The first executable of that name, as a shell would find it. */
export async function firstOnPath(program: string, searchPath: string): Promise<string | undefined> {
  for (const folder of searchPath.split(delimiter)) {
    if (folder === '') continue
    const candidate = join(folder, program)
    const usable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (usable) return candidate
  }
  return undefined
}

/** A cached file may be stale or half written by others: its name proves nothing. */
async function hasDigest(path: string, sha256: string): Promise<boolean> {
  return (await sha256OfFile(path).catch(() => undefined)) === sha256
}

function ownCachePath(host: Host, wanted: FindTool, version: string): string {
  return join(host.paths.cache, 'tools', wanted.tool, version, wanted.architecture, wanted.tool)
}
