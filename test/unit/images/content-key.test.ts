import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { contentKeys } from '../../../src/images/content-key.ts'
import { loadRecipes } from '../../../src/images/load-recipes.ts'
import type { Host } from '../../../src/process/host.ts'
import { repository, testHost } from '../../support/test-host.ts'

let host: Host

beforeEach(async () => {
  const assets = await mkdtemp(join(tmpdir(), 'assets-'))
  await cp(join(repository, 'images'), join(assets, 'images'), { recursive: true })
  const base = testHost()
  host = { ...base, paths: { ...base.paths, assets } }
})

const keys = async () => contentKeys(host, await loadRecipes(host, '1.34.3'))

/** Names of recipes whose key an edit of a file changes. */
async function changedBy(file: string, edit: (text: string) => string): Promise<string[]> {
  const before = await keys()
  const path = join(host.paths.assets, 'images', file)
  await writeFile(path, edit(await readFile(path, 'utf8')))
  const after = await keys()
  return [...before]
    .filter(([name, key]) => after.get(name) !== key)
    .map(([name]) => name)
    .toSorted()
}

describe('contentKeys', () => {
  it('are the same for the same content', async () => {
    expect(await keys()).toEqual(await keys())
  })

  it('follow a file to every image that is built on it', async () => {
    expect(await changedBy('pause/main.go', (text) => `${text}\n// changed\n`)).toEqual(['kind-node', 'pause'])
    expect(await changedBy('redis/docker-entrypoint.sh', (text) => `${text}\n# changed\n`)).toEqual(['redis'])
    expect(
      await changedBy('recipes/debian.yaml', (text) => text.replace('ca-certificates]', 'ca-certificates, less]')),
    ).toEqual(
      expect.arrayContaining(['busybox', 'debian', 'kind-node', 'kind-node-base', 'kube-proxy', 'postgres', 'python']),
    )
  })

  it('ignore what does not reach the image', async () => {
    expect(await changedBy('recipes/redis.yaml', (text) => text.replace(/seconds: \d+/, 'seconds: 99'))).toEqual([])
    expect(
      await changedBy('recipes/redis.yaml', (text) => text.replace(/description: .*/, 'description: other')),
    ).toEqual([])
    await writeFile(join(host.paths.assets, 'images/node-network/new_test.go'), 'package main\n')
    expect(await changedBy('node-network/README.md', (text) => `${text}\nmore\n`)).toEqual([])
  })
})
