import { expect, test } from 'vitest'
import { defaultMirror } from '../../../src/images/debian.ts'

test('the mirror is the one debootstrap itself would take', () => {
  const script =
    '#!/bin/sh\nDEF_MIRROR="http://mirror.example/debian"\nDEF_HTTPS_MIRROR="https://mirror.example/debian"\n'
  expect(defaultMirror(script)).toBe('http://mirror.example/debian')
})

test('a debootstrap without one is an error, not an empty address', () => {
  expect(() => defaultMirror('#!/bin/sh\n')).toThrow('this debootstrap names no default mirror')
})
