import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { kindConfig } from '../../../src/cluster/kind-config.ts'
import { InputError } from '../../../src/process/errors.ts'
import { loadSpec, parseSpec } from '../../../src/spec/load-spec.ts'
import { resolveSettings } from '../../../src/spec/settings.ts'

const head = 'apiVersion: k8s-platform/v1\n'
const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-spec-'))

describe('a spec', () => {
  test.each([
    ['an anchor inside of what it names', '&a [*a]', 'is not usable YAML'],
    ['ten thousand brackets', '['.repeat(10_000), 'is not YAML'],
    ['a list as a key', `${head}? [a, b]\n: x\n`, 'keys must be strings'],
    ['a set where keys are expected', `${head}cluster: !!set {workers, unknown}\n`, 'Unresolved tag'],
    ['a tag of another language', `${head}cluster: !!python/object/apply:os.system [id]\n`, 'Unresolved tag'],
    ['an unknown directive', `%FOO bar\n---\n${head}`, 'Unknown directive'],
    ['two documents', `${head}---\n${head}`, 'multiple documents'],
    ['a key with a line break', `${head}"a\\n- b is fine": 1\n`, String.raw`a\n- b is fine`],
    ['a prototype', `${head}cluster:\n  __proto__: {workers: 1}\n`, 'is not a known key'],
    [
      'a label that is several',
      `${head}cluster:\n  nodes: [{role: control-plane, labels: {a: 'b,c=d'}}]\n`,
      'is not the value of a label',
    ],
    [
      'a taint with a line break',
      `${head}cluster:\n  nodes: [{role: control-plane, taints: ["a\\nb:NoSchedule"]}]\n`,
      'is not a taint',
    ],
    ['an image that is an option', `${head}cluster: {nodeImage: --privileged}\n`, 'is not an image reference'],
    ['an argument of two lines', `${head}cluster: {extraArgs: ["a\\nb"]}\n`, 'line break'],
    ['a path with a NUL', `${head}app: {values: "a\\0"}\n`, 'control character'],
    [
      'a download with a password',
      `${head}cluster: {downloadBaseUrl: 'https://u:secret@h'}\n`,
      'without user and password',
    ],
  ])('with %s is refused and says why', (_what, text, reason) => {
    const refused = (): unknown => parseSpec(text, 'platform.yaml')
    expect(refused).toThrow(InputError)
    expect(refused).toThrow(reason)
    expect(refused).not.toThrow('secret')
  })

  test('may call a profile like a property of every object', () => {
    const spec = parseSpec(`${head}profiles: {constructor: {cluster: {workers: 1}}}\n`, 'platform.yaml')
    const settings = (profile: string) => resolveSettings({ spec, profile, defaultImageSource: 'auto' })
    expect(settings('constructor').cluster.nodes).toHaveLength(2)
    expect(() => settings('toString')).toThrow('is not defined')
  })

  test('is a file of a size that somebody may have written', async () => {
    const pipe = path.join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const large = path.join(folder, 'large.yaml')
    writeFileSync(large, '#'.repeat(1024 * 1024 + 1))
    await expect(loadSpec('/dev/zero')).rejects.toThrow('it is not a file')
    await expect(loadSpec(pipe)).rejects.toThrow('it is not a file')
    await expect(loadSpec(large)).rejects.toThrow('is larger than 1024 KiB')
  })
})

test.each([
  ['an anchor inside of what it names', 'nodes: &a [{role: worker, x: *a}]'],
  ['labels that are a list', 'nodes: [{role: control-plane, labels: [a]}]'],
  ['patches that are one text', 'nodes: [{role: control-plane, kubeadmConfigPatches: "taints: []"}]'],
  ['ports that are numbers', 'nodes: [{role: control-plane, extraPortMappings: [1]}]'],
])('a kind config with %s is refused, not stumbled over', (_what, text) => {
  const make = (): unknown =>
    kindConfig({
      nodes: [{ role: 'control-plane', taints: ['a=b:NoSchedule'] }],
      nodesDefaulted: false,
      hostPorts: new Map([[30080, 18080]]),
      user: { path: 'kind.yaml', text: `kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n${text}\n` },
    })
  expect(make).toThrow(InputError)
})
