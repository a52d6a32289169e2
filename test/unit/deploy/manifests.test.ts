import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { readManifests } from '../../../src/deploy/manifest-files.ts'
import { parseManifests } from '../../../src/deploy/parse-manifests.ts'
import { testHost } from '../../support/test-host.ts'

const parse = (text: string): ReturnType<typeof parseManifests> => parseManifests([{ name: 'app.yaml', text }])
const only = (text: string): string => {
  const { problems } = parse(text)
  expect(problems).toHaveLength(1)
  return `${problems[0]?.name}: ${problems[0]?.problem}`
}
const configMap = (name: string, rest = ''): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n${rest}`

describe('manifests', () => {
  it('are read with file, line and document of each, empty documents and all line ends', () => {
    const text = `---\n# nothing\n---\n${configMap('one')}---\n---\n${configMap('two')}`
    for (const written of [text, text.replaceAll('\n', '\r\n'), `\uFEFF${text}`]) {
      const { objects, problems } = parse(written)
      expect(problems).toEqual([])
      expect(objects.map(({ object, at }) => `${object.metadata.name} ${at}`)).toEqual([
        'one app.yaml:4 (document 2)',
        'two app.yaml:10 (document 4)',
      ])
    }
  })

  it('are read as Kubernetes reads YAML', () => {
    const { objects } = parse(configMap('a', 'data: {mode: 0440, on: yes, y: y, day: 2026-11-21, port: 22:22}'))
    expect(objects[0]?.object['data']).toEqual({ mode: 288, true: true, y: 'y', day: '2026-11-21', port: '22:22' })
  })

  it('may be lists, and what the server had written', () => {
    const item = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', uid: 'x', managedFields: [] }, status: {} }
    const { objects } = parse(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [item] }))
    expect(objects).toEqual([
      { object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } }, at: 'app.yaml:1 (document 1) items[0]' },
    ])
  })

  const laughs = [...'bcdefghi'].reduce(
    (text, letter, index) => `${text}\n${letter}: &${letter} [${`*${'abcdefghi'[index]},`.repeat(9)}]`,
    'a: &a [lol]',
  )
  it.each([
    ['a: &a [*a]', 'app.yaml:1 (document 1): is not usable YAML: Converting circular structure to JSON'],
    [
      laughs,
      'app.yaml:1 (document 1): is not usable YAML: Excessive alias count indicates a resource exhaustion attack',
    ],
    [configMap('a', 'data: {}\ndata: {}\n'), 'app.yaml:6 (document 1): is not usable YAML: Map keys must be unique'],
    ['['.repeat(100_000), 'app.yaml:1 (document 1): is not usable YAML: Maximum call stack size exceeded'],
    [
      'a: *b',
      'app.yaml:1 (document 1): is not usable YAML: Unresolved alias (the anchor must be set before the alias): b',
    ],
    ['kind: Pod', 'app.yaml:1 (document 1): has no apiVersion, no metadata'],
    [`${configMap('a')}---\njust text`, 'app.yaml:6 (document 2): is not an object'],
    ['apiVersion: v1\nkind: Pod\nmetadata: {}', 'app.yaml:1 (document 1) Pod: has no metadata.name'],
    [
      'apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-}',
      'app.yaml:1 (document 1) Job: has metadata.generateName, so that every deployment would make another',
    ],
    [
      configMap('a', '  labels: {version: 1.2}'),
      'app.yaml:1 (document 1) ConfigMap: has metadata.labels whose values are not all text: version',
    ],
    [
      `${configMap('a')}---\n${configMap('a')}`,
      'app.yaml:6 (document 2): is ConfigMap a again, which app.yaml:1 (document 1) has',
    ],
    [
      'a: !!js/function "x"',
      'app.yaml:1 (document 1): is not usable YAML: Unresolved tag: tag:yaml.org,2002:js/function',
    ],
    [`# ${'x'.repeat(33 * 1024 * 1024)}`, 'app.yaml: is too large'],
  ])('refuses %.40j', (text, expected) => {
    expect(only(text)).toBe(expected)
  })

  it('tells every problem of every file at once', () => {
    const { problems } = parseManifests([
      { name: 'a.yaml', text: 'kind: Pod' },
      { name: 'b.yaml', text: `${configMap('fine')}---\n[]` },
    ])
    expect(problems.map(({ name }) => name)).toEqual(['a.yaml:1 (document 1)', 'b.yaml:6 (document 2)'])
  })
})

describe('manifest files', () => {
  function workspace(): string {
    const root = testHost().paths.temp
    mkdirSync(path.join(root, 'workspace', 'k8s', 'deeper'), { recursive: true })
    writeFileSync(path.join(root, 'outside.yaml'), configMap('outside'))
    for (const name of ['b.yaml', 'a.yml', 'c.json', 'notes.txt', 'deeper/d.yaml'])
      writeFileSync(path.join(root, 'workspace', 'k8s', name), configMap('x'))
    symlinkSync(path.join(root, 'outside.yaml'), path.join(root, 'workspace', 'link.yaml'))
    return path.join(root, 'workspace')
  }
  const names = async (root: string, ...patterns: string[]): Promise<string[]> => {
    const { texts, problems } = await readManifests(
      patterns.map((pattern) => path.join(root, pattern)),
      root,
    )
    return [...texts.map(({ name }) => path.relative(root, name)), ...problems.map(({ problem }) => `! ${problem}`)]
  }

  it('are named by file, folder or glob, each once', async () => {
    const root = workspace()
    expect(await names(root, 'k8s')).toEqual(['k8s/a.yml', 'k8s/b.yaml', 'k8s/c.json'])
    expect(await names(root, 'k8s/b.yaml', 'k8s/*.yaml')).toEqual(['k8s/b.yaml'])
    expect(await names(root, 'k8s/**/*.yaml')).toEqual(['k8s/b.yaml', 'k8s/deeper/d.yaml'])
    expect(await names(root, 'k9s', 'k8s/*.toml')).toEqual(['! names no file', '! names no file'])
  })

  it('do not lead out of the workspace', async () => {
    const root = workspace()
    expect(await names(root, '../outside.yaml', 'link.yaml')).toEqual([
      '! leads out of the workspace',
      '! leads out of the workspace',
    ])
  })
})
