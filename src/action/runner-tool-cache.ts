import type { ToolCache } from '../tools/tool-cache.ts'

/**
 * The runner's tool cache. Loaded only by actions that install tools; without RUNNER_TOOL_CACHE there is none, and the toolkit's own cache folder serves.
 */
export async function runnerToolCache(
  env: Readonly<Record<string, string | undefined>>,
): Promise<ToolCache | undefined> {
  if (!env['RUNNER_TOOL_CACHE'] || !env['RUNNER_TEMP']) return undefined
  // By name, so that the bundler leaves out the download half and its HTTP client.
  const { find, cacheFile } = await import('@actions/tool-cache')
  const architectures = { amd64: 'x64', arm64: 'arm64' } as const
  return {
    find: (tool, version, architecture) => find(tool, version, architectures[architecture]) || undefined,
    cacheFile: (source, targetName, tool, version, architecture) =>
      cacheFile(source, targetName, tool, version, architectures[architecture]),
  }
}
