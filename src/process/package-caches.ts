import { join } from 'node:path'
import type { Host } from './host.ts'

/** The Go that the sources here ask for; README.md names it too. An older one from 1.21 on fetches it by itself, unless told not to. */
export const goVersion = '1.26'

/**
 * The host's environment with the caches of Go, npm and pip below our own cache folder, so that what we fetch and compile goes when that folder goes, and nothing is
 * left below HOME.
 */
export function withPackageCaches(host: Pick<Host, 'env' | 'paths'>): Record<string, string> {
  const { cache } = host.paths
  return {
    ...host.env,
    GOPATH: join(cache, 'go'),
    GOMODCACHE: join(cache, 'go', 'pkg', 'mod'),
    GOCACHE: join(cache, 'go', 'build'),
    npm_config_cache: join(cache, 'npm'),
    PIP_CACHE_DIR: join(cache, 'pip'),
  }
}
