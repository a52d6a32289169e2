import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { claimState, listStates, readState, removeState, saveState, statePath } from '../../../src/cluster/state.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'
import { stateOf } from './states.ts'

describe('cluster state', () => {
  it('is written whole, private, and read back', async () => {
    const host = testHost()
    const saved = await saveState(host, stateOf({ name: 'demo', hostPorts: { 30080: '127.0.0.1:4000' } }))
    expect(await readState(host, 'demo')).toEqual(saved)
    expect(saved.updatedAt).not.toBe('2026-11-21T10:00:00.000Z')
    expect((await stat(statePath(host, 'demo'))).mode & 0o777).toBe(0o600)
    expect(await readdir(host.paths.state)).toEqual(['demo.json'])
  })

  it('is never seen half written', async () => {
    const host = testHost()
    await saveState(host, stateOf({ name: 'demo' }))
    const writers = Array.from({ length: 20 }, (_, index) =>
      saveState(host, stateOf({ name: 'demo', requestKey: 'x'.repeat(index * 1_000) })),
    )
    const readers = Array.from({ length: 50 }, () => readState(host, 'demo'))
    for (const state of await Promise.all(readers)) expect(state?.name).toBe('demo')
    await Promise.all(writers)
    expect(await readdir(host.paths.state)).toEqual(['demo.json'])
  })

  it('is claimed by one of many', async () => {
    const host = testHost()
    const claims = await Promise.all(Array.from({ length: 10 }, () => claimState(host, stateOf({ name: 'demo' }))))
    expect(claims.filter(Boolean)).toHaveLength(1)
    expect(await readdir(host.paths.state)).toEqual(['demo.json'])
  })

  it('is absent where nothing was made', async () => {
    const host = testHost()
    expect(await readState(host, 'demo')).toBeUndefined()
    expect(await listStates(host)).toEqual([])
  })

  it.each(['not json', '{"schema": 2, "name": "demo"}', 'null', '{}', '[]'])(
    'refuses to guess what %s means',
    async (text) => {
      const log = recordingLogger()
      const host = testHost({ log })
      await mkdir(host.paths.state, { recursive: true })
      await writeFile(statePath(host, 'demo'), text)
      await expect(readState(host, 'demo')).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
      expect(await listStates(host)).toEqual([])
      expect(log.lines).toEqual([expect.stringMatching(/^warning: .*demo\.json/)])
    },
  )

  it.each(['../demo', 'a/b', '.hidden', ''])('does not leave its folder for the name %s', (name) => {
    expect(() => statePath(testHost(), name)).toThrow(/cluster-name/)
  })

  it('is removed with the leavings of a killed save, and the empty folder', async () => {
    const host = testHost()
    await saveState(host, stateOf({ name: 'demo' }))
    await saveState(host, stateOf({ name: 'demo-2' }))
    await writeFile(join(host.paths.state, 'demo.json.99.1.tmp'), 'half')
    await removeState(host, 'demo')
    expect(await readdir(host.paths.state)).toEqual(['demo-2.json'])
    await removeState(host, 'demo-2')
    await removeState(host, 'demo-2')
    await expect(readdir(host.paths.state)).rejects.toThrow()
  })
})
