import { describe, expect, it } from 'vitest'
import { requestProblems } from '../../../src/cluster/preflight.ts'
import type { ClusterRequest } from '../../../src/cluster/provider.ts'

const request: ClusterRequest = {
  name: 'demo',
  nodes: [{ role: 'control-plane' }],
  extraArgs: [],
  registry: true,
  imageSource: 'registry',
  kubectlVersion: 'server',
  waitFor: [],
  timeoutMs: 60_000,
}
const named = (changes: Partial<ClusterRequest>): string[] =>
  requestProblems({ ...request, ...changes }).map(({ name, value }) => `${name}=${value}`)

describe('requestProblems', () => {
  it('finds nothing wrong with a plain request', () => {
    expect(named({})).toEqual([])
    expect(named({ imageSource: 'packages', kubectlVersion: 'none' })).toEqual([])
    expect(named({ extraArgs: ['--verbosity=3', '--quiet'] })).toEqual([])
  })

  it.each([
    '--name',
    '--name=other',
    '-n',
    '-nother',
    '--kubeconfig=/x',
    '--image=y',
    '--config',
    '--wait=1s',
    '--retain',
  ])('refuses the extra argument %s, which would win over ours', (argument) => {
    expect(named({ extraArgs: [argument] })).toEqual([`extra-args=${argument}`])
  })

  it('names the input to use instead', () => {
    expect(requestProblems({ ...request, extraArgs: ['--name=other'] })[0]?.allowed).toBe('the input cluster-name')
  })

  it('refuses, with image-source packages, everything that would have no effect there', () => {
    const digest = 'a'.repeat(64)
    expect(
      named({
        imageSource: 'packages',
        nodeImage: 'kindest/node:v1.36.1',
        providerVersion: `0.32.0@sha256:${digest}`,
        kubectlVersion: `1.36.1@sha256:${digest}`,
        registryMirror: 'https://mirror.example.com',
        downloadBaseUrl: 'https://mirror.example.com/releases',
      }).map((text) => text.split('=')[0]),
    ).toEqual(['node-image', 'provider-version', 'kubectl-version', 'registry-mirror', 'download-base-url'])
  })

  it('refuses a port for a registry that is not wanted', () => {
    expect(named({ registry: false, registryPort: 5001 })).toEqual(['registry-port=5001'])
  })
})
