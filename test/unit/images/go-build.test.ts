import { describe, expect, it } from 'vitest'
import { renderGoMod } from '../../../src/images/go-build.ts'

const binary = { module: 'k8s.io/kubernetes', version: 'v1.34.3', variables: {} }

describe('renderGoMod', () => {
  it('repeats what only counts in a main module', () => {
    const text = renderGoMod(binary, {
      Go: '1.24.0',
      Godebug: [{ Key: 'default', Value: 'go1.24' }],
      Replace: [
        { Old: { Path: 'example.com/a', Version: 'v1.0.0' }, New: { Path: 'example.com/b', Version: 'v2.0.0' } },
        { Old: { Path: 'k8s.io/api' }, New: { Path: './staging/src/k8s.io/api' } },
      ],
      Exclude: [{ Path: 'example.com/c', Version: 'v0.1.0' }],
    })
    expect(text).toMatchInlineSnapshot(`
      "module k8s-platform.local/build
      go 1.24.0
      godebug default=go1.24
      require k8s.io/kubernetes v1.34.3
      replace example.com/a v1.0.0 => example.com/b v2.0.0
      exclude example.com/c v0.1.0
      "
    `)
  })

  it('gives modules without a version the staging version, and asks for it when the recipe has none', () => {
    const upstream = { Go: '1.24.0', Require: [{ Path: 'k8s.io/api', Version: 'v0.0.0' }] }
    expect(renderGoMod({ ...binary, staging: 'v0.34.3' }, upstream)).toContain(
      'replace k8s.io/api => k8s.io/api v0.34.3',
    )
    expect(() => renderGoMod(binary, upstream)).toThrow('requires k8s.io/api without a version')
  })
})
