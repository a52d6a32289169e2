import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { limitsToRaise, raiseLimits, restoreLimits } from '../../../src/cluster/inotify.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'

async function settings(instances: number, watches: number): Promise<string> {
  const folder = testHost().paths.temp
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'max_user_instances'), `${instances}\n`)
  await writeFile(join(folder, 'max_user_watches'), `${watches}\n`)
  return folder
}

const instances = async (folder: string): Promise<number> =>
  Number(await readFile(join(folder, 'max_user_instances'), 'utf8'))

describe('inotify limits', () => {
  it('are raised where they are low, said so, and put back', async () => {
    const folder = await settings(128, 1_000_000)
    const log = recordingLogger()
    const low = await limitsToRaise(folder)
    expect(low).toEqual({ max_user_instances: 128 })
    expect(await instances(folder)).toBe(128)
    await raiseLimits({ log }, low, folder)
    expect(await instances(folder)).toBe(512)
    expect(log.lines).toEqual([expect.stringMatching(/^info: raised fs\.inotify\.max_user_instances from 128 to 512/)])
    expect(await limitsToRaise(folder)).toEqual({})
    expect(await restoreLimits(low, folder)).toEqual(['fs.inotify.max_user_instances back to 128'])
    expect(await instances(folder)).toBe(128)
  })

  it('that somebody changed since are left alone', async () => {
    const folder = await settings(128, 1_000_000)
    await raiseLimits(testHost(), { max_user_instances: 128 }, folder)
    await writeFile(join(folder, 'max_user_instances'), '8192\n')
    expect(await restoreLimits({ max_user_instances: 128 }, folder)).toEqual([])
    expect(await instances(folder)).toBe(8_192)
  })

  it('that cannot be read are none of our business', async () => {
    expect(await limitsToRaise('/nowhere')).toEqual({})
    const folder = await settings(128, 1_000_000)
    await writeFile(join(folder, 'max_user_instances'), 'nonsense')
    await chmod(join(folder, 'max_user_instances'), 0o600)
    expect(await limitsToRaise(folder)).toEqual({})
  })
})
