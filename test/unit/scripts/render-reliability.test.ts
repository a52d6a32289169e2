import { expect, it } from 'vitest'
import { reliabilityPage } from '../../../scripts/render-reliability.ts'

const row = { section: 'votes', fault: 'Redis killed', expected: 'no vote lost', seen: '0 lost', held: true } as const

it('counts what held, and shows the last result of a drill that ran again', () => {
  const page = reliabilityPage(
    [
      { ...row, held: false, seen: '3 lost' },
      row,
      { ...row, section: 'assertions', fault: 'CoreDNS at zero', held: false },
    ],
    '2026-11-21',
  )
  expect(page).toContain('1 of 2 drills held')
  expect(page).not.toContain('3 lost')
  expect(page).toContain('| CoreDNS at zero | no vote lost | 0 lost | **no** |')
  expect(page.indexOf('## Assertions')).toBeLessThan(page.indexOf('## Votes'))
})

it('keeps text of a cluster inside of its cell', () => {
  const page = reliabilityPage([{ ...row, seen: 'a | b\n## c <script> [x](y)' }], '2026-11-21')
  expect(page).toContain('| a \\| b \\#\\# c \\<script\\> \\[x\\](y) | yes |')
})
