import { describe, expect, it } from 'vitest'
import { kubectlVersionFor } from '../../../src/cluster/kubectl.ts'
import {
  compareVersions,
  resolveKubernetesVersion,
  versionOfNodeImage,
} from '../../../src/cluster/kubernetes-version.ts'
import { kindNodeImages, registryImage } from '../../../src/cluster/node-images.ts'

const available = ['1.34.11', '1.34.3', '1.36.4', '1.37.0']

describe('resolveKubernetesVersion', () => {
  it.each([
    ['1.34', '1.34.11'],
    ['1.34.x', '1.34.11'],
    ['v1.34', '1.34.11'],
    ['1.34.3', '1.34.3'],
    ['v1.36.4', '1.36.4'],
  ])('%s is %s', (asked, version) => {
    expect(resolveKubernetesVersion(asked, 'registry', available)).toEqual({ version, defaulted: false })
  })

  it("takes the image source's own default", () => {
    expect(resolveKubernetesVersion(undefined, 'registry', available)).toEqual({ version: '1.36.4', defaulted: true })
    expect(resolveKubernetesVersion(undefined, 'packages', ['1.34.3'])).toEqual({ version: '1.34.3', defaulted: true })
  })

  it.each(['1.35', '1.36.1', '1.3', '1.340'])(
    'refuses %s, which there is no image for, and names what there is',
    (asked) => {
      expect(() => resolveKubernetesVersion(asked, 'registry', available)).toThrow(
        /kubernetes-version \(got ".*"\) is not available with image-source registry; allowed: .*1\.37\.0, 1\.36\.4, 1\.34\.11, 1\.34\.3/,
      )
    },
  )

  it.each(['latest', '', '1', '1.36.4.5', '1.36-rc', 'stable; reboot'])('refuses %s', (asked) => {
    expect(() => resolveKubernetesVersion(asked, 'registry', available)).toThrow(/is not a Kubernetes version/)
  })
})

describe('versions', () => {
  it('are ordered as numbers', () => {
    expect(['1.34.3', '1.34.11', '1.9.0'].sort(compareVersions)).toEqual(['1.9.0', '1.34.3', '1.34.11'])
  })

  it.each([
    ['kindest/node:v1.36.4@sha256:0ab', '1.36.4'],
    ['registry.example.com:5000/node:1.34.3', '1.34.3'],
    ['kindest/node:v1.36.4-alpha', '1.36.4'],
    ['kindest/node:latest', undefined],
    ['kindest/node@sha256:0ab', undefined],
  ])('are read from the tag of %s', (image, version) => {
    expect(versionOfNodeImage(image)).toBe(version)
  })

  it('of pinned images are in their tags, each with a digest', () => {
    for (const [version, image] of Object.entries(kindNodeImages)) {
      expect(image).toMatch(new RegExp(`^docker\\.io/kindest/node:v${version}@sha256:[0-9a-f]{64}$`))
    }
    expect(registryImage).toMatch(/@sha256:[0-9a-f]{64}$/)
  })
})

describe('kubectlVersionFor', () => {
  it.each([
    ['server', '1.36.4', '1.36.4'],
    ['server', '1.34.3', '1.34.11'],
    ['server', '1.38.0', '1.37.0'],
    ['server', '1.20.0', '1.20.0'],
    ['1.35.8', '1.36.4', '1.35.8'],
    ['none', '1.36.4', undefined],
  ])('%s for a server of %s is %s', (asked, server, version) => {
    expect(kubectlVersionFor(asked, server)).toBe(version)
  })
})
