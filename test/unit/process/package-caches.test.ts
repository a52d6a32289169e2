import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { goVersion, withPackageCaches } from '../../../src/process/package-caches.ts'
import { repository, testHost } from '../../support/test-host.ts'

it('keeps what Go, npm and pip fetch below the cache folder, whatever the environment says', () => {
  const host = testHost({ env: { PATH: '/usr/bin', GOMODCACHE: '/root/go/pkg/mod' } })
  const { PATH, ...caches } = withPackageCaches(host)
  expect(PATH).toBe('/usr/bin')
  expect(Object.keys(caches).sort()).toEqual(['GOCACHE', 'GOMODCACHE', 'GOPATH', 'PIP_CACHE_DIR', 'npm_config_cache'])
  for (const folder of Object.values(caches)) expect(folder.startsWith(`${host.paths.cache}/`)).toBe(true)
})

it('names the same Go as the README and the sources', () => {
  const text = (file: string): string => readFileSync(path.join(repository, file), 'utf8')
  expect(text('README.md')).toContain(`Go ${goVersion}`)
  expect(text('voting-app/worker/go.mod')).toContain(`\ngo ${goVersion}`)
})
