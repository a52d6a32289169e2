import { describe, expect, it } from 'vitest'
import { InputError } from '../../../src/process/errors.ts'
import { parseDuration } from '../../../src/spec/duration.ts'
import { editorSchema } from '../../../src/spec/editor-schema.ts'
import { loadSpec, parseSpec } from '../../../src/spec/load-spec.ts'
import { requireKind, resolveSettings } from '../../../src/spec/settings.ts'

const problems = (text: string): string => {
  try {
    parseSpec(text, 'platform.yaml')
  } catch (error) {
    expect(error).toBeInstanceOf(InputError)
    return (error as InputError).message
  }
  throw new Error('was accepted')
}
const settings = (text: string, overrides = {}, profile?: string) =>
  resolveSettings({
    spec: parseSpec(text, 'platform.yaml'),
    overrides,
    defaultImageSource: 'auto',
    ...(profile === undefined ? {} : { profile }),
  })

describe('platform.yaml', () => {
  it('reports every problem at once, each with line, path, value and what is allowed', () => {
    const text = `apiVersion: k8s-platform/v1
cluster:
  wokers: 2
  provider: kinds
  controlPlanes: many
  nodes:
    - role: worker
      taints: [broken]
  kubernetesVersion: 1.36
assertions:
  suites: [reddiness]
`
    expect(problems(text)).toMatchInlineSnapshot(`
      "6 problems:
      - platform.yaml:4 cluster.provider (got "kinds") is not known; allowed: kind, k3d, k3s, rke2, kubeadm, existing; did you mean kind?
      - platform.yaml:9 cluster.kubernetesVersion (got "1.36") is a number; put it in quotes
      - platform.yaml:5 cluster.controlPlanes (got "many") is not a number
      - platform.yaml:8 cluster.nodes[0].taints[0] (got "broken") is not a taint; allowed: key=value:NoSchedule
      - platform.yaml:3 cluster.wokers is not a known key; did you mean workers?; allowed: provider, name, kubernetesVersion, providerVersion, controlPlanes, workers, nodes, nodeImage, config, extraArgs, imageSource, registry, downloadBaseUrl, kubectlVersion, waitFor, timeout
      - platform.yaml:11 assertions.suites[0] (got "reddiness") is not known; allowed: readiness, dns, service-routing, vote-flow; did you mean readiness?"
    `)
  })

  it.each([
    ['a: [', /^platform.yaml:1 is not YAML/],
    ['', /platform.yaml \(got "null"\) is not an object/],
    ['apiVersion: v1', /apiVersion \(got "v1"\) is not known; allowed: k8s-platform\/v1/],
    ['apiVersion: k8s-platform/v1\napiVersion: k8s-platform/v1', /is not YAML: Map keys must be unique/],
    ['apiVersion: k8s-platform/v1\nassertions: { failOn: [] }', /assertions.failOn \(got "\[\]"\) is too small/],
    ['apiVersion: k8s-platform/v1\ncluster:\n  timeout: soon', /cluster.timeout \(got "soon"\) is not a duration/],
  ])('refuses %j', (text, expected) => {
    expect(problems(text)).toMatch(expected)
  })

  it('says which file cannot be read', async () => {
    await expect(loadSpec('/no/such/platform.yaml')).rejects.toThrow(
      'spec (got "/no/such/platform.yaml") cannot be read',
    )
  })

  it('does not unfold an alias bomb', () => {
    const bomb = Array.from(
      { length: 9 },
      (_, i) => `a${i}: &a${i} [${Array.from({ length: 9 }, () => (i === 0 ? 'x' : `*a${i - 1}`)).join(',')}]`,
    ).join('\n')
    expect(problems(bomb)).toMatch(/Excessive alias count|unknown key|not a known key/)
  })
})

describe('settings', () => {
  it('has a default for everything', () => {
    const result = resolveSettings({ defaultImageSource: 'registry' })
    expect(result.cluster.nodes.map((node) => node.role)).toEqual(['control-plane', 'worker', 'worker', 'worker'])
    expect(result).toMatchObject({
      provider: 'kind',
      components: ['metrics-server'],
      cluster: { imageSource: 'registry', registry: true, timeoutMs: 600_000, kubectlVersion: 'server' },
      app: { namespace: 'voting-app', images: 'auto' },
      assertions: {
        suites: ['readiness', 'dns', 'service-routing', 'vote-flow'],
        suitesByName: false,
        failOn: ['fail', 'inconclusive'],
      },
    })
  })

  it('fails a run on a check that failed, named or not', () => {
    const { assertions } = settings('apiVersion: k8s-platform/v1\nassertions: { failOn: [skipped] }')
    expect(assertions.failOn).toEqual(['fail', 'skipped'])
  })

  const text = `apiVersion: k8s-platform/v1
cluster: { workers: 2, registry: { port: 5001 } }
assertions: { suites: [dns] }
profiles:
  preview:
    cluster: { workers: 1, registry: { mirror: "http://mirror" } }
`
  it('merges spec, then profile, then inputs', () => {
    const preview = settings(text, { 'cluster.timeout': '90s' }, 'preview')
    expect(preview.cluster.nodes).toHaveLength(2)
    expect(preview.cluster).toMatchObject({ registryPort: 5001, registryMirror: 'http://mirror', timeoutMs: 90_000 })
    expect(settings(text, { 'cluster.workers': 0 }, 'preview').cluster.nodes).toHaveLength(1)
    expect(settings(text).assertions).toMatchObject({ suites: ['dns'], suitesByName: true })
  })

  it('names the nearest profile', () => {
    expect(() => settings(text, {}, 'preveiw')).toThrow(
      'profile (got "preveiw") is not defined; did you mean preview?; allowed: preview',
    )
    expect(() => settings(text, {}, 'constructor')).toThrow('is not defined')
  })

  it('lets a count given by hand replace the list of nodes, and refuses both in one file', () => {
    const nodes =
      'apiVersion: k8s-platform/v1\ncluster:\n  nodes: [{ role: control-plane }, { role: worker, zone: a }]\n'
    expect(settings(nodes).cluster.nodes[1]).toEqual({ role: 'worker', zone: 'a' })
    expect(settings(nodes, { 'cluster.workers': 2 }).cluster.nodes).toHaveLength(3)
    expect(() => settings(`${nodes}  workers: 2\n`)).toThrow('cannot be given together with')
    expect(() => settings('apiVersion: k8s-platform/v1\ncluster: { nodes: [{ role: worker }] }')).toThrow(
      'has no control plane',
    )
  })

  it('refuses an override as it refuses the spec', () => {
    expect(() => settings(text, { 'cluster.workers': -1 })).toThrow('cluster.workers (got "-1") is too small')
    const resolve = (overrides: Record<string, unknown>) => () =>
      resolveSettings({
        overrides,
        givenAs: {
          'cluster.timeout': { name: '--timeout', example: '10m' },
          'assertions.suites': { name: 'suites', example: 'dns' },
        },
        defaultImageSource: 'auto',
      })
    expect(resolve({ 'cluster.timeout': '5' })).toThrow(/^--timeout \(got "5"\) is not a duration; .*; example: 10m$/)
    expect(resolve({ 'assertions.suites': ['dns', 'dsn'] })).toThrow(
      /^suites \(got "dsn"\) is not known; .*example: dns$/,
    )
  })

  it('says which providers are not built yet', () => {
    expect(() => requireKind(settings(text, { 'cluster.provider': 'k3d' }))).toThrow(
      'provider k3d is not supported yet',
    )
  })
})

describe('durations', () => {
  it.each([
    ['90s', 90_000],
    ['10m', 600_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1_500],
    ['250ms', 250],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each(['', '10', 'm', '10 m', '-5s', '0s', '5m later'])('refuses %j', (text) => {
    expect(() => parseDuration(text, 'timeout')).toThrow(/timeout .*is not a duration/)
  })
})

it('gives editors a schema that knows the keys', () => {
  expect(JSON.stringify(editorSchema())).toContain('"controlPlanes"')
})
