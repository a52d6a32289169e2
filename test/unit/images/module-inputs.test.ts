import { expect, it } from 'vitest'
import { replaceOnce } from '../../../src/images/module-inputs.ts'

it('edits an upstream file only where it is what the edit expects', () => {
  expect(replaceOnce('a: 1\nb: 2\n', 'b: 2', 'b: 3', 'file')).toBe('a: 1\nb: 3\n')
  expect(() => replaceOnce('a', 'b', 'c', 'module v1 file.yaml')).toThrow(
    'module v1 file.yaml: "b" is there 0 times, and must be there once',
  )
  expect(() => replaceOnce('b b', 'b', 'c', 'file')).toThrow('2 times')
})
