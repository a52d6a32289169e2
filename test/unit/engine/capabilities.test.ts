import { expect, test } from 'vitest'
import { missingCapabilities } from '../../../src/engine/capabilities.ts'

test('a complete bounding set lacks nothing', () => {
  expect(missingCapabilities('Name:\tnode\nCapBnd:\t000001ffffffffff\n', '40')).toEqual([])
})

test('names what is missing', () => {
  expect(missingCapabilities('CapBnd:\t000001fffeffffff\n', '40')).toEqual(['CAP_SYS_RESOURCE'])
  expect(missingCapabilities('CapBnd:\t000001fffffffffe\n', '40')).toEqual(['CAP_CHOWN'])
})

test('a kernel that knows fewer capabilities lacks none of the later ones', () => {
  expect(missingCapabilities('CapBnd:\t0000003fffffffff\n', '37')).toEqual([])
})

test('a capability newer than the table has a number', () => {
  expect(missingCapabilities('CapBnd:\t000001ffffffffff\n', '41')).toEqual(['capability 41'])
})
