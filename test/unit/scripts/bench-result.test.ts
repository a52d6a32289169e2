import { expect, it } from 'vitest'
import { boundedRow, missedAnywhere } from '../../../scripts/bench/result.ts'

it('a ratio or a size over its bound fails a benchmark; seconds are told', () => {
  const rows = [
    boundedRow('ours / plain', 1.2, 'times', 1.1),
    boundedRow('ours / sequential', 0.6, 'times', 0.7),
    boundedRow('archive', Number.NaN, 'MB', 1.5),
    boundedRow('a second up', 9, 's', 8),
    { what: 'told', value: 1, unit: 'times' },
  ]
  expect(missedAnywhere({ name: 'a benchmark', rows }).map(({ what }) => what)).toEqual(['ours / plain', 'archive'])
})
