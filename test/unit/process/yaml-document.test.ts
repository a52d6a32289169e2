import { expect, test } from 'vitest'
import { parseKubernetesYaml } from '../../../src/deploy/kubernetes-yaml.ts'
import { parseYaml, parseYamlDocument } from '../../../src/process/yaml-document.ts'
import { parseSpec } from '../../../src/spec/load-spec.ts'

const upTo = (many: number): number[] => Array.from({ length: many }, (_, index) => index)
const keys = (many: number): string[] => upTo(many).map((at) => `k${at}: v`)

/** Comparing each key with each other takes ten minutes for the largest here, on a machine that does nothing else. */
const patience = 240_000

test(
  'a mapping of 200,000 keys is read, and the one that it has twice is found',
  () => {
    const [document] = parseKubernetesYaml(`${keys(200_000).join('\n')}\nk7: again\n`)
    expect(document?.problem).toEqual({ line: 200_001, text: 'Map keys must be unique' })
    expect(Object.keys(document?.content as object)).toHaveLength(200_000)
    expect(parseKubernetesYaml(`{${keys(1_000).join(',\n')},\nk7: again}`)[0]?.problem?.line).toBe(1_001)
  },
  patience,
)

test(
  'ten thousand aliases are refused, as nobody can follow them in time',
  () => {
    const text = upTo(10_000)
      .map((at) => `- &a${at} x\n- *a${at}`)
      .join('\n')
    const [document] = parseKubernetesYaml(text)
    expect(document?.problem?.text).toMatch(/^Too many aliases: 10000 among \d+ nodes$/)
    expect(document?.content).toBeUndefined()
    // Not of a few hundred, as people write them.
    const few = `a: &a {x: 1}\nb:\n${'- *a\n'.repeat(90)}${'- {x: 1}\n'.repeat(20_000)}`
    expect(parseKubernetesYaml(few)[0]?.problem).toBeUndefined()
    expect(() => parseYaml(text, { logLevel: 'silent' })).toThrow('Too many aliases')
  },
  patience,
)

test(
  'a spec of a megabyte of keys is refused with the line of what is wrong',
  () => {
    const text = `apiVersion: k8s-platform/v1\n${upTo(40_000)
      .map((at) => `? k${at}\n: v`)
      .join('\n')}\nk7: again\n`
    expect(() => parseSpec(text, 'platform.yaml')).toThrow(/platform\.yaml:80002 is not YAML: Map keys must be unique/)
  },
  patience,
)

test.each([
  ['a: 1\nb: 2\na: 3\n', 3],
  ['x:\n  - {a: 1, "a": 2}\n', 2],
  // The same in JSON.
  ['1: a\n"1": b\n', 2],
  ['yes: a\ntrue: b\n', 2],
])('a key given twice is told with its line: %j', (text, line) => {
  expect(parseKubernetesYaml(text)[0]?.problem).toEqual({ line, text: 'Map keys must be unique' })
})

test('keys of other mappings, and several merges, are no key twice', () => {
  const text = 'a: &a {x: 1}\nb: &b {y: 2}\nc: {<<: *a, <<: *b, x: 3}\nd: {x: 1}\n'
  const [document] = parseKubernetesYaml(text)
  expect(document).toMatchObject({ content: { c: { x: 3, y: 2 }, d: { x: 1 } } })
  expect(document?.problem).toBeUndefined()
})

test('the first error comes first, with its place where it is for people', () => {
  const { errors } = parseYamlDocument('a: 1\na: 2\nb: "open\n')
  expect(errors.map(({ message }) => message.split('\n')[0])[0]).toBe('Map keys must be unique at line 2, column 1')
  expect(() => parseYaml('a: 1\na: 2\n')).toThrow('Map keys must be unique at line 2, column 1')
  expect(parseYaml('a: 1\na: 2\n', { logLevel: 'silent' })).toEqual({ a: 2 })
})
