import type { Architecture } from './platform.ts'

/** The runner's tool cache, as far as features need it. A hit is a claim of whoever filled it: verify the digest before use. */
export interface ToolCache {
  /** Folder of that exact version, or undefined. */
  find(tool: string, version: string, architecture: Architecture): string | undefined
  /** Copies a file into the cache under the name given and resolves with the folder it now lies in. */
  cacheFile(
    source: string,
    targetName: string,
    tool: string,
    version: string,
    architecture: Architecture,
  ): Promise<string>
}
