import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { kubernetesRow, recipeVariables, supportedKubernetesVersions } from '../../../src/images/kubernetes-versions.ts'
import { loadRecipes, needsOf, parseRecipe } from '../../../src/images/load-recipes.ts'
import type { Problem } from '../../../src/process/errors.ts'
import { repository, testHost } from '../../support/test-host.ts'

const host = testHost()

/** Assets of a repository with these recipes and the real table. */
async function assetsWith(recipes: Record<string, string>): Promise<Parameters<typeof loadRecipes>[0]> {
  const assets = await mkdtemp(join(tmpdir(), 'recipes-'))
  await mkdir(join(assets, 'images/recipes'), { recursive: true })
  const table = await readFile(join(repository, 'images/kubernetes-versions.json'), 'utf8')
  await writeFile(join(assets, 'images/kubernetes-versions.json'), table)
  for (const [name, text] of Object.entries(recipes)) await writeFile(join(assets, `images/recipes/${name}.yaml`), text)
  return { paths: { ...host.paths, assets } }
}

describe('the recipes of this repository', async () => {
  const versions = await supportedKubernetesVersions(host)

  it.each(versions)('are valid for Kubernetes %s', async (version) => {
    const recipes = await loadRecipes(host, version)
    expect([...recipes.keys()]).toContain('kind-node')
    const names = [...recipes.values()].flatMap((recipe) => recipe.upstream)
    expect(names.toSorted()).toEqual([...new Set(names)].toSorted())
    expect(names).toContain(`registry.k8s.io/kube-apiserver:v${version}`)
  })

  it('make the network agent under the name its manifest asks for', async () => {
    const [version = ''] = versions
    const recipes = await loadRecipes(host, version)
    const manifest = await readFile(join(repository, 'images/node-network/manifest.yaml'), 'utf8')
    const [image] = /image: (\S+)/.exec(manifest)?.slice(1) ?? []
    expect(recipes.get('node-network')?.upstream).toEqual([image])
  })

  it('make every image that the voting app’s chart takes from others', async () => {
    const [version = ''] = versions
    const names = [...(await loadRecipes(host, version)).values()].flatMap((recipe) => recipe.upstream)
    const values = parse(await readFile(join(repository, 'charts/voting-app/values.yaml'), 'utf8')) as Record<
      string,
      { image?: { repository: string; tag: string } }
    >
    for (const service of ['redis', 'postgres']) {
      expect(names).toContain(`${values[service]?.image?.repository}:${values[service]?.image?.tag}`)
    }
  })
})

describe('loadRecipes', () => {
  it('reports every problem of every file at once, with the nearest known name', async () => {
    const paths = await assetsWith({
      one: 'description: x\npakages: [curl]\n',
      two: 'description: x\nbase: on\nupstream: [redis]\n',
      three: 'description: x\nbase: four\n',
      four: 'description: x\nbase: three\n',
      five: 'description: x\npackages: [curl]\n',
      six: 'description: x ${etcd.tga}\n',
    })
    const error = await loadRecipes(paths, '1.34.3').catch((caught: Error) => caught)
    expect(error).toMatchObject({ code: 'RECIPE_INVALID' })
    expect((error as Error).message.split('\n')).toEqual([
      expect.stringMatching(/^\d+ problems:$/),
      expect.stringContaining('one.yaml pakages is not a known key; did you mean packages?'),
      expect.stringContaining('six.yaml (got "${etcd.tga}") is not a variable; allowed: kubernetes.version'),
      expect.stringContaining('two.yaml upstream.0 is not a full image name'),
      expect.stringContaining('five.yaml has packages, users or setup, which need a base made by bootstrap'),
      expect.stringContaining('four.yaml depends on itself'),
      expect.stringContaining('three.yaml depends on itself'),
    ])
  })

  it('names the rows of the table for a version that is not in it', async () => {
    await expect(loadRecipes(host, '1.35.0')).rejects.toThrow(/Kubernetes 1\.35\.0 cannot be built .* has 1\.34\.3$/)
    await expect(kubernetesRow(host, 'v1.34.3')).resolves.toMatchObject({ kubernetes: '1.34.3' })
  })
})

describe('parseRecipe', () => {
  it('fills variables in and leaves shell code alone', async () => {
    const problems: Problem[] = []
    const variables = recipeVariables(await kubernetesRow(host, '1.34.3'), 'x64')
    const text = 'description: d\ntexts:\n  /a: "${kubernetes.staging} ${HOME} ${name}"\n'
    const recipe = parseRecipe('a', text, variables, problems)
    expect(problems).toEqual([])
    expect(recipe?.texts).toEqual({ '/a': 'v0.34.3 ${HOME} ${name}' })
  })

  it('counts every way to depend on another recipe', () => {
    const problems: Problem[] = []
    const text = [
      'description: d',
      'base: a',
      'unpack: { root: b, packages: [x] }',
      'preload: [c, a]',
      'copies: [{ recipe: d, from: /x, to: /y }]',
    ].join('\n')
    const recipe = parseRecipe('r', text, {}, problems)
    expect(recipe === undefined ? problems : needsOf(recipe)).toEqual(['a', 'b', 'c', 'd'])
  })
})
