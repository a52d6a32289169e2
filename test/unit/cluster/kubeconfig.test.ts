import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import {
  exportKubeconfig,
  mergeKubeconfig,
  unexportKubeconfig,
  withoutContext,
} from '../../../src/cluster/kubeconfig.ts'
import { testHost } from '../../support/test-host.ts'

const config = (name: string, server: string): string => `apiVersion: v1
kind: Config
clusters: [{name: ${name}, cluster: {server: ${server}}}]
users: [{name: ${name}, user: {token: t}}]
contexts: [{name: ${name}, context: {cluster: ${name}, user: ${name}}}]
current-context: ${name}
`

describe('mergeKubeconfig', () => {
  it('adds the context beside those that are there and makes it the current one', () => {
    const merged = parse(mergeKubeconfig(config('mine', 'https://a'), config('kind-demo', 'https://b')))
    expect(merged.contexts.map((entry: { name: string }) => entry.name)).toEqual(['mine', 'kind-demo'])
    expect(merged['current-context']).toBe('kind-demo')
  })

  it('replaces an entry of the same name', () => {
    const merged = parse(mergeKubeconfig(config('kind-demo', 'https://old'), config('kind-demo', 'https://new')))
    expect(merged.clusters).toEqual([{ name: 'kind-demo', cluster: { server: 'https://new' } }])
  })

  it('starts from nothing', () => {
    expect(parse(mergeKubeconfig('', config('kind-demo', 'https://b')))).toMatchObject({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'kind-demo',
    })
  })
})

describe('withoutContext', () => {
  it('undoes the merge', () => {
    const both = mergeKubeconfig(config('mine', 'https://a'), config('kind-demo', 'https://b'))
    const left = parse(withoutContext(both, 'kind-demo'))
    expect(left).toEqual({ ...parse(config('mine', 'https://a')), 'current-context': '' })
  })

  it('keeps a user that another context needs', () => {
    const shared =
      'contexts: [{name: a, context: {cluster: x, user: u}}, {name: b, context: {cluster: y, user: u}}]\nusers: [{name: u}]\nclusters: [{name: x}, {name: y}]\ncurrent-context: b\n'
    expect(parse(withoutContext(shared, 'a'))).toEqual({
      contexts: [{ name: 'b', context: { cluster: 'y', user: 'u' } }],
      users: [{ name: 'u' }],
      clusters: [{ name: 'y' }],
      'current-context': 'b',
    })
  })

  it('leaves the text alone when there is no such context', () => {
    expect(withoutContext(config('mine', 'https://a'), 'kind-demo')).toBe(config('mine', 'https://a'))
  })
})

describe('exportKubeconfig', () => {
  it('writes a private file and takes the context out again', async () => {
    const { paths } = testHost()
    await mkdir(paths.temp, { recursive: true })
    const own = join(paths.temp, 'own')
    const target = join(paths.temp, 'home', '.kube', 'config')
    await writeFile(own, config('kind-demo', 'https://b'))
    await exportKubeconfig(own, target)
    expect((await stat(target)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(paths.temp, 'home', '.kube'))).toEqual(['config'])
    expect(await unexportKubeconfig(target, 'kind-demo')).toBe(true)
    expect(await unexportKubeconfig(target, 'kind-demo')).toBe(false)
    expect(await readFile(target, 'utf8')).not.toContain('kind-demo')
  })

  it('refuses to write over something that is no kubeconfig', async () => {
    const { paths } = testHost()
    await mkdir(paths.temp, { recursive: true })
    const own = join(paths.temp, 'own')
    const target = join(paths.temp, 'notes')
    await writeFile(own, config('kind-demo', 'https://b'))
    await writeFile(target, 'a: [unclosed')
    await expect(exportKubeconfig(own, target)).rejects.toThrow(/export-kubeconfig .* is not a kubeconfig/)
    expect(await readFile(target, 'utf8')).toBe('a: [unclosed')
  })
})
