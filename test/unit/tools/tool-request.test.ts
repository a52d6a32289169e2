import { describe, expect, it } from 'vitest'
import { pinnedTools } from '../../../src/tools/pinned-tools.ts'
import { supportedArchitecture } from '../../../src/tools/platform.ts'
import { parseToolVersion } from '../../../src/tools/tool-request.ts'

describe('parseToolVersion', () => {
  it.each([
    [undefined, { kind: 'exact', version: '0.33.0', sha256: undefined }],
    ['', { kind: 'exact', version: '0.33.0', sha256: undefined }],
    ['v0.33.0', { kind: 'exact', version: '0.33.0', sha256: undefined }],
    ['preinstalled', { kind: 'preinstalled' }],
    [`0.32.0@sha256:${'a'.repeat(64)}`, { kind: 'exact', version: '0.32.0', sha256: 'a'.repeat(64) }],
  ])('%s', (text, expected) => {
    expect(parseToolVersion('provider-version', 'kind', text)).toEqual(expected)
  })

  it.each(['latest', '0.33', '0.33.0@sha256:abc', '0.33.0 && reboot', '../kind'])('refuses %s', (text) => {
    expect(() => parseToolVersion('provider-version', 'kind', text)).toThrow(
      /provider-version .* is not a version of kind; allowed: .*0\.33\.0/,
    )
  })
})

describe('pinned tools', () => {
  it('has a whole digest for both architectures of every version, and the default among them', () => {
    for (const [name, tool] of Object.entries(pinnedTools)) {
      expect(Object.keys(tool.digests), name).toContain(tool.defaultVersion)
      for (const digests of Object.values(tool.digests)) {
        expect(Object.keys(digests).sort()).toEqual(['amd64', 'arm64'])
        for (const digest of Object.values(digests)) expect(digest).toMatch(/^[0-9a-f]{64}$/)
        expect(digests.amd64).not.toBe(digests.arm64)
      }
    }
  })
})

describe('supportedArchitecture', () => {
  it('knows the two it can', () => {
    expect(supportedArchitecture({ platform: 'linux', arch: 'x64' })).toBe('amd64')
    expect(supportedArchitecture({ platform: 'linux', arch: 'arm64' })).toBe('arm64')
  })

  it.each([
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 'arm'],
    ['linux', 'constructor'],
  ])('refuses %s on %s', (platform, arch) => {
    expect(() => supportedArchitecture({ platform, arch })).toThrow(/not supported/)
  })
})
