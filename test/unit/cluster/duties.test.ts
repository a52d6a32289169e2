import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readState, saveState } from '../../../src/cluster/state.ts'
import { StateJournal } from '../../../src/cluster/state-journal.ts'
import { teardownCluster } from '../../../src/cluster/teardown.ts'
import type { Exec } from '../../../src/process/exec.ts'
import type { Host } from '../../../src/process/host.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'
import { stateOf } from './states.ts'

/** What the last cluster on a host has to put back passes from one to the next; several may go at once. */
const rounds = 16

/** Docker with nothing on it, that takes a moment, never the same, to say so. */
function slowDocker(): Exec {
  return {
    async run() {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 4))
      return { exitCode: 0, stdout: '', stderr: '', durationMs: 0 }
    },
  }
}

function inTemp(host: Host, name: string): { folder: string; kubeconfig: string; logsPath: string } {
  const folder = join(host.paths.temp, name)
  return { folder, kubeconfig: join(folder, 'kubeconfig'), logsPath: join(folder, 'logs') }
}

it('clusters that are taken down at the same moment leave no record, and the limits to nobody who is gone', async () => {
  for (let round = 1; round <= rounds; round++) {
    const host = testHost({ exec: slowDocker() })
    await saveState(host, stateOf({ name: 'one', ...inTemp(host, 'one'), raisedLimits: { nothing: 1 } }))
    await saveState(host, stateOf({ name: 'two', ...inTemp(host, 'two') }))
    await Promise.all([teardownCluster(host, 'one'), teardownCluster(host, 'two')])
    expect(await readdir(host.paths.state).catch(() => [])).toEqual([])
  }
})

it('of three that go while a fourth stays, the fourth inherits what all of them had to put back', async () => {
  for (let round = 1; round <= rounds / 2; round++) {
    const exec: Exec = {
      async run(command, args) {
        const { stderr, ...rest } = await slowDocker().run(command, args)
        // The fourth has a node on the network.
        return { ...rest, stderr, stdout: args.includes('network=kind') ? 'id-of-a-node' : '' }
      },
    }
    const host = testHost({ exec })
    const network = { name: 'kind', created: false, sealed: false }
    await saveState(host, stateOf({ name: 'a', ...inTemp(host, 'a'), network, raisedLimits: { first: 1 } }))
    await saveState(host, stateOf({ name: 'b', ...inTemp(host, 'b'), network, raisedLimits: { second: 2 } }))
    await saveState(host, stateOf({ name: 'c', ...inTemp(host, 'c'), network: { ...network, created: true } }))
    await saveState(host, stateOf({ name: 'stays', ...inTemp(host, 'stays'), network }))
    await Promise.all(['a', 'b', 'c'].map((name) => teardownCluster(host, name)))
    expect(await readdir(host.paths.state)).toEqual(['stays.json'])
    expect(await readState(host, 'stays')).toMatchObject({
      raisedLimits: { first: 1, second: 2 },
      network: { created: true },
    })
  }
})

it('a duty left to a cluster that is being made survives what its run saves next', async () => {
  const host = testHost({ exec: scriptedExec([[/^docker ps/, 'id-of-a-node']]) })
  const network = { name: 'kind', created: false, sealed: false }
  const seen: unknown[] = []
  const journal = new StateJournal(
    host,
    await saveState(host, stateOf({ name: 'new', phase: 'creating' })),
    (state) => {
      seen.push(state.phase)
    },
  )
  await journal.update({ network })
  // As a teardown of another cluster does it.
  const present = await readState(host, 'new')
  if (present === undefined) throw new Error('no record')
  await saveState(host, { ...present, raisedLimits: { nothing: 1 }, network: { ...network, created: true } })
  await journal.update({ network, containers: ['new-control-plane'] })
  await journal.update({ phase: 'ready' })
  expect(await readState(host, 'new')).toMatchObject({
    phase: 'ready',
    raisedLimits: { nothing: 1 },
    network: { created: true },
    containers: ['new-control-plane'],
  })
  expect(journal.state.raisedLimits).toEqual({ nothing: 1 })
  expect(seen).toEqual(['creating', 'creating', 'ready'])
})

it('a run whose cluster was taken down by another does not put its record back', async () => {
  const host = testHost({ exec: slowDocker() })
  await mkdir(host.paths.temp, { recursive: true })
  const journal = new StateJournal(
    host,
    await saveState(host, stateOf({ name: 'demo', ...inTemp(host, 'demo') })),
    undefined,
  )
  await teardownCluster(host, 'demo')
  await expect(journal.update({ phase: 'failed' })).rejects.toMatchObject({ code: 'CLUSTER_GONE' })
  await saveState(host, stateOf({ name: 'demo', createdAt: '2026-11-21T11:00:00.000Z' }))
  await expect(journal.update({ phase: 'failed' })).rejects.toMatchObject({ code: 'CLUSTER_GONE' })
  expect((await readState(host, 'demo'))?.phase).toBe('ready')
})
