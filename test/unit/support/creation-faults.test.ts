import { expect, it } from 'vitest'
import { NotReadyError } from '../../../src/process/errors.ts'
import type { CreationFault } from '../../support/creation-faults.ts'
import { findingOf } from '../../support/run-creation-fault.ts'

const entry: CreationFault = {
  fault: 'a full disk',
  code: 'DISK_FULL',
  line: /^the disk is full/,
  next: /df -h/,
  plant: () => {},
}
const error = (code = 'DISK_FULL', text = 'the disk is full', hint = 'Look with df -h.') =>
  new NotReadyError(text, { code, hint })

it('a creation that fails as its row says holds', () => {
  expect(findingOf(entry, error(), 20_000, 20)).toEqual({
    seen: 'DISK_FULL after 20 s: the disk is full',
    wrong: [],
  })
})

it.each([
  ['another code', error('NODE_NOT_JOINED'), 1, 'NODE_NOT_JOINED instead of DISK_FULL'],
  ['another first line', error('DISK_FULL', 'out of luck'), 1, 'its first line is not as /^the disk is full/'],
  ['no way out', error('DISK_FULL', 'the disk is full', 'Good luck.'), 1, 'what to do is not as /df -h/'],
  ['a late end', error(), 20_001, 'it took more than 20 s'],
  ['an error of ours', new TypeError('the disk is full: df -h'), 1, 'no known error instead of DISK_FULL'],
])('%s does not', (_what, seen, elapsedMs, problem) => {
  expect(findingOf(entry, seen, elapsedMs, 20).wrong[0]).toBe(problem)
})
