import { expect, it } from 'vitest'
import { dockerfile, localImages } from '../../../src/images/docker-image.ts'
import { parseRecipe } from '../../../src/images/load-recipes.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'

it('renders a recipe’s settings as instructions the classic builder knows', () => {
  const text = [
    'description: d',
    'environment: { A: x "y" $z }',
    'workdir: /data',
    'user: 999:999',
    'ports: [6379]',
    'volumes: [/data]',
    'stopSignal: SIGINT',
    'entrypoint: [run, "a b"]',
    'command: [redis-server]',
  ].join('\n')
  const recipe = parseRecipe('r', text, {}, [])
  if (recipe === undefined) throw new Error('the recipe is invalid')
  expect(dockerfile(recipe, 'k8s-platform/debian:1', { l: 'v' })).toMatchInlineSnapshot(`
    "FROM k8s-platform/debian:1
    ADD layer.tar /
    ENV A="x \\"y\\" \\$z"
    WORKDIR /data
    USER 999:999
    EXPOSE 6379
    VOLUME ["/data"]
    STOPSIGNAL SIGINT
    ENTRYPOINT ["run","a b"]
    CMD ["redis-server"]
    LABEL l="v"
    "
  `)
  expect(dockerfile(recipe, undefined, {})).toMatch(/^FROM scratch\n/)
})

it('lists only names of ours, whatever else an image is called', async () => {
  const exec = scriptedExec([
    [/^docker images /, 'sha256:1\nsha256:1\n'],
    [
      /^docker image inspect sha256:1$/,
      JSON.stringify([
        {
          Id: 'sha256:1',
          RepoTags: ['k8s-platform/redis:abc', '127.0.0.1:5000/docker.io/library/redis:7.0'],
          Size: 5,
          Created: '2026-11-21T11:00:00Z',
          Config: { Labels: { 'k8s-platform.recipe': 'redis', 'k8s-platform.key': 'abcdef' } },
        },
      ]),
    ],
  ])
  expect(await localImages(testHost({ exec }))).toEqual([
    {
      tag: 'k8s-platform/redis:abc',
      id: 'sha256:1',
      recipe: 'redis',
      key: 'abcdef',
      bytes: 5,
      createdAt: '2026-11-21T11:00:00Z',
    },
  ])
})
