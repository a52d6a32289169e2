import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { withCacheLock } from '../../../src/images/cache-lock.ts'
import { testHost } from '../../support/test-host.ts'

it('lets one in at a time', async () => {
  const host = testHost()
  const file = join(host.paths.cache, 'lock')
  const order: string[] = []
  const use = (name: string) =>
    withCacheLock(host, file, async () => {
      order.push(`${name} in`)
      await new Promise((resolve) => setImmediate(resolve))
      order.push(`${name} out`)
    })
  await Promise.all([use('a'), use('b')])
  expect(
    order
      .filter((_, index) => index % 2 === 0)
      .map((entry) => entry.split(' ')[0])
      .toSorted(),
  ).toEqual(['a', 'b'])
  expect(order[1]).toBe(order[0]?.replace('in', 'out'))
})

it('takes over from a process that is gone, also when its id is in use again', async () => {
  const host = testHost()
  const file = join(host.paths.cache, 'lock')
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, JSON.stringify({ pid: 1, started: 'another start', boot: 'another boot' }))
  await expect(withCacheLock(host, file, () => readFile(file, 'utf8'))).resolves.toContain(`"pid":${process.pid}`)
})
