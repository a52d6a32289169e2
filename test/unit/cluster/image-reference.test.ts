import { describe, expect, it } from 'vitest'
import { parseImageReference } from '../../../src/cluster/image-reference.ts'

const digest = `sha256:${'a'.repeat(64)}`

describe('the name of an image', () => {
  it.each([
    ['shop', 'docker.io/library/shop:latest'],
    ['shop:1', 'docker.io/library/shop:1'],
    ['org/shop:1', 'docker.io/org/shop:1'],
    ['docker.io/shop:1', 'docker.io/library/shop:1'],
    ['index.docker.io/org/shop', 'docker.io/org/shop:latest'],
    ['ghcr.io/org/k8s-platform/vote:v1.2-rc.1', 'ghcr.io/org/k8s-platform/vote:v1.2-rc.1'],
    ['localhost/shop:1', 'localhost/shop:1'],
    ['localhost:5001/shop', 'localhost:5001/shop:latest'],
    ['registry:5000/shop:1', 'registry:5000/shop:1'],
    ['127.0.0.1:5000/docker.io/library/shop:1', '127.0.0.1:5000/docker.io/library/shop:1'],
    [`shop@${digest}`, `docker.io/library/shop@${digest}`],
    // The kubelet looks such a one up by its digest alone.
    [`ghcr.io/org/shop:1@${digest}`, `ghcr.io/org/shop@${digest}`],
    ['a__b/c.d-e/f--g:1', 'docker.io/a__b/c.d-e/f--g:1'],
  ])('%s is %s', (text, name) => {
    expect(parseImageReference(text)?.name).toBe(name)
  })

  it.each([
    '',
    'Shop',
    'shop:',
    ':1',
    'shop:1:2',
    '-shop',
    'a b',
    'shop@sha256:12',
    'https://ghcr.io/shop',
    '/shop',
    'a//b',
    '../x',
    '--output=x',
  ])('%j is none', (text) => {
    expect(parseImageReference(text)).toBeUndefined()
  })
})
