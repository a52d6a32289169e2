import { expect, it } from 'vitest'
import { benchReleaseArchive } from '../../scripts/bench/release-archive.ts'

it('what every `uses:` downloads stays small', async () => {
  const archive = (await benchReleaseArchive()).rows.at(-1)
  expect(archive?.value).toBeGreaterThan(0.1)
  expect(archive, JSON.stringify(archive)).toMatchObject({ limit: 1.5, held: true })
})
