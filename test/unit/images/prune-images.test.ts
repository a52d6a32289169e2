import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { contentKeys } from '../../../src/images/content-key.ts'
import { localTag } from '../../../src/images/docker-image.ts'
import { imageFolders } from '../../../src/images/folders.ts'
import { loadRecipes } from '../../../src/images/load-recipes.ts'
import { pruneImages } from '../../../src/images/prune-images.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'

/** A Docker with these local names; each is an image of its own. */
function docker(images: readonly { tag: string; recipe: string; created: string }[]) {
  return scriptedExec([
    [/^docker images .*dangling=true/, 'sha256:stage\n'],
    [/^docker images /, images.map((_, index) => `sha256:${index}`).join('\n')],
    [
      /^docker image inspect /,
      JSON.stringify(
        images.map(({ tag, recipe, created }, index) => ({
          Id: `sha256:${index}`,
          RepoTags: [tag],
          Size: 1,
          Created: created,
          Config: { Labels: { 'k8s-platform.recipe': recipe, 'k8s-platform.key': 'k' } },
        })),
      ),
    ],
    [/^docker ps /, ''],
    [/^docker rmi /, ''],
  ])
}

it('keeps images of the recipes as they are, and of each application the newest', async () => {
  const plain = testHost()
  const keys = await contentKeys(plain, await loadRecipes(plain, '1.34.3'))
  const redis = localTag('redis', keys.get('redis') ?? '')
  const exec = docker([
    { tag: redis, recipe: 'redis', created: '2026-01-01T00:00:00Z' },
    { tag: 'k8s-platform/redis:000000000000', recipe: 'redis', created: '2026-02-01T00:00:00Z' },
    { tag: 'k8s-platform/voting-app-vote:1', recipe: 'voting-app-vote', created: '2026-01-01T00:00:00Z' },
    { tag: 'k8s-platform/voting-app-vote:2', recipe: 'voting-app-vote', created: '2026-02-01T00:00:00Z' },
  ])
  const host = testHost({ exec })
  const folders = imageFolders(host)
  await mkdir(folders.records, { recursive: true })
  const current = `${redis.replace('k8s-platform/', '').replace(':', '-')}.json`
  for (const file of [current, 'redis-000000000000.json']) await writeFile(join(folders.records, file), '{}')

  const pruned = await pruneImages(host, { keepKubernetesVersion: '1.34.3' })
  expect(pruned.images).toEqual(['k8s-platform/redis:000000000000', 'k8s-platform/voting-app-vote:1'])
  expect(await readdir(folders.records)).toEqual([current])
  expect(exec.calls).toContain('docker rmi sha256:stage')
})

it('removes everything that is ours when nothing is to be kept', async () => {
  const host = testHost({
    exec: docker([{ tag: 'k8s-platform/redis:1', recipe: 'redis', created: '2026-01-01T00:00:00Z' }]),
  })
  const folders = imageFolders(host)
  for (const folder of [folders.roots, folders.binaries, folders.apt]) await mkdir(folder, { recursive: true })
  const pruned = await pruneImages(host)
  expect(pruned.images).toEqual(['k8s-platform/redis:1'])
  expect(await readdir(join(host.paths.cache, 'images'))).toEqual([])
})
