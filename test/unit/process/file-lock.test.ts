import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { removeStaleLocks, withFileLock } from '../../../src/process/file-lock.ts'
import type { Host } from '../../../src/process/host.ts'
import { testHost } from '../../support/test-host.ts'

const options = { timeoutMs: 5_000, doing: 'is at work' }

async function lockFile(host: Host, content?: string): Promise<string> {
  const file = join(host.paths.cache, 'lock')
  await mkdir(dirname(file), { recursive: true })
  if (content !== undefined) await writeFile(file, content)
  return file
}

async function mostInside(host: Host, file: string, runs: number): Promise<number> {
  let inside = 0
  let most = 0
  const use = () =>
    withFileLock(host, file, options, async () => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setTimeout(resolve, 5))
      inside--
    })
  await Promise.all(Array.from({ length: runs }, use))
  return most
}

it('lets one in at a time and leaves nothing behind', async () => {
  const host = testHost()
  const file = await lockFile(host)
  expect(await mostInside(host, file, 4)).toBe(1)
  expect(await readdir(host.paths.cache)).toEqual([])
})

it.each([
  [
    'of a process that is gone, though its id is in use again',
    JSON.stringify({ pid: 1, startTicks: 'x', bootId: 'y' }),
  ],
  ['that is empty', ''],
])('takes over a lock %s', async (_what, content) => {
  const host = testHost()
  const file = await lockFile(host, content)
  expect(await withFileLock(host, file, options, () => readFile(file, 'utf8'))).toContain(`"pid":${process.pid}`)
  expect(await readdir(host.paths.cache)).toEqual([])
})

it('waits for a holder of another PID namespace, whose process it cannot look up, and takes over after a reboot', async () => {
  const host = testHost()
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  const elsewhere = { pid: 4_000_000, startTicks: '1', bootId, pidNamespace: 'pid:[1]' }
  const file = await lockFile(host, JSON.stringify(elsewhere))
  const wait = { timeoutMs: 300, doing: 'is at work', intervalMs: 20 }
  await expect(withFileLock(host, file, wait, async () => {})).rejects.toThrow('process 4000000 is at work')
  await removeStaleLocks(host.paths.cache)
  expect(await readFile(file, 'utf8')).toBe(JSON.stringify(elsewhere))
  await writeFile(file, JSON.stringify({ ...elsewhere, bootId: 'an earlier one' }))
  expect(await withFileLock(host, file, wait, () => readFile(file, 'utf8'))).toContain('"pidNamespace":"pid:[')
})

it('does not mind that somebody removes the folder between two looks', async () => {
  const host = testHost()
  const use = async (index: number): Promise<void> => {
    await withFileLock(host, join(host.paths.cache, `${index}.lock`), options, async () => {})
    await rmdir(host.paths.cache).catch(() => {})
  }
  for (let round = 1; round <= 50; round++) await Promise.all([1, 2, 3, 4].map(use))
})

it('lets only one of several waiters take over', async () => {
  const host = testHost()
  const file = await lockFile(host, JSON.stringify({ pid: 1, startTicks: 'x', bootId: 'y' }))
  expect(await mostInside(host, file, 4)).toBe(1)
})

it('fails at once where the file cannot be written', async () => {
  const host = testHost()
  const file = await lockFile(host)
  await mkdir(file)
  await writeFile(join(file, 'x'), '')
  const started = performance.now()
  await expect(withFileLock(host, join(file, 'x', 'lock'), options, async () => {})).rejects.toThrow(/ENOTDIR|EEXIST/)
  expect(performance.now() - started).toBeLessThan(2_000)
})

it('a folder is rid of locks of processes that are gone, and of no other', async () => {
  const host = testHost()
  const dead = JSON.stringify({ pid: 1, startTicks: 'x', bootId: 'y' })
  await lockFile(host)
  for (const name of ['a.lock', 'a.lock.1.uuid', 'a.lock.1.uuid.stale', 'demo.json'])
    await writeFile(join(host.paths.cache, name), dead)
  await withFileLock(host, join(host.paths.cache, 'b.lock'), options, async () => {
    await removeStaleLocks(host.paths.cache)
    expect((await readdir(host.paths.cache)).sort()).toEqual(['b.lock', 'demo.json'])
  })
})
