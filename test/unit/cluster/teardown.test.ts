import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { claimCluster } from '../../../src/cluster/claim.ts'
import { isLeftover, sweepLeftovers } from '../../../src/cluster/leftovers.ts'
import type { ProcessTable } from '../../../src/cluster/owner.ts'
import { listStates, readState, saveState } from '../../../src/cluster/state.ts'
import { teardownCluster } from '../../../src/cluster/teardown.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'
import { stateOf } from './states.ts'

const nothing = (): ReturnType<typeof scriptedExec> => scriptedExec([[/^docker ps/, '']])
const allDead: ProcessTable = {
  bootId: async () => 'boot-1',
  pidNamespace: async () => 'pid:[1]',
  process: async () => undefined,
}
const lines = (...containers: string[]): string =>
  containers.map((name) => `id-${name}\t${name}\trunning\tworker`).join('\n')

describe('teardownCluster', () => {
  it('removes nodes, registry, network, files and state, and says so', async () => {
    const exec = scriptedExec([
      [/^docker ps .*kind\.cluster=demo/, lines('demo-control-plane', 'demo-worker')],
      [/^docker ps .*k8s-platform\.cluster=demo/, lines('demo-registry')],
      [/^docker rm --force --volumes id-demo-control-plane id-demo-worker id-demo-registry$/, ''],
      [/^docker ps .*network=kind$/, ''],
      [/^docker network rm kind$/, 'kind'],
    ])
    const host = testHost({ exec })
    const folder = join(host.paths.temp, 'demo')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'kubeconfig'), 'x')
    await saveState(
      host,
      stateOf({
        name: 'demo',
        folder,
        kubeconfig: join(folder, 'kubeconfig'),
        network: { name: 'kind', created: true, sealed: false },
      }),
    )
    expect(await teardownCluster(host, 'demo')).toEqual([
      'container demo-control-plane',
      'container demo-worker',
      'container demo-registry',
      'network kind',
      `folder ${folder}`,
      'state demo',
    ])
    expect(await readdir(host.paths.temp)).toEqual([])
    expect(await listStates(host)).toEqual([])
  })

  it("keeps what a damaged state describes, unless the cluster is known to be the caller's own", async () => {
    const exec = scriptedExec([
      [/^docker ps .*kind\.cluster=demo/, lines('demo-control-plane')],
      [/^docker ps/, ''],
      [/^docker rm --force --volumes id-demo-control-plane$/, ''],
      [/^docker network ls/, ''],
      [/^nft/, { exitCode: 1, stderr: 'Error: No such file or directory' }],
    ])
    const log = recordingLogger()
    const host = testHost({ exec, log })
    await mkdir(host.paths.state, { recursive: true })
    await writeFile(join(host.paths.state, 'demo.json'), '{"schema":1,')
    await expect(teardownCluster(host, 'demo')).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
    expect(exec.calls).toEqual([])
    expect(await teardownCluster(host, 'demo', { evenIfDamaged: true })).toEqual([
      'container demo-control-plane',
      'network k8s-platform and its seal',
      'state demo',
    ])
    expect(await listStates(host)).toEqual([])
    expect(log.lines.find((line) => line.startsWith('warning: '))).toContain('is not a state file of this version')
  })

  it('leaves the raised limits to nodes of a run whose records are elsewhere', async () => {
    const exec = scriptedExec([
      [/^docker ps .*label=io.x-k8s.kind.cluster --format/, lines('neighbour-control-plane')],
      [/^docker ps/, ''],
    ])
    const log = recordingLogger()
    const host = testHost({ exec, log })
    await saveState(
      host,
      stateOf({ name: 'demo', folder: join(host.paths.temp, 'demo'), raisedLimits: { nothing: 1 } }),
    )
    expect(await teardownCluster(host, 'demo')).toContain('state demo')
    expect(log.lines.join()).toContain('the raised limits stay: neighbour-control-plane')
  })

  it('removes the sealed network also when the run was killed before it was recorded', async () => {
    const exec = scriptedExec([
      [/^docker ps/, ''],
      [/^docker network ls/, 'id1\n'],
      [/^docker network inspect/, '[{}]'],
      [/^docker network rm k8s-platform$/, ''],
      [/^nft --json list/, '{"nftables":[]}'],
      [/^nft -f -/, ''],
    ])
    const host = testHost({ exec })
    const folder = join(host.paths.temp, 'demo')
    await saveState(host, stateOf({ name: 'demo', folder, phase: 'creating', imageSource: 'packages' }))
    expect(await teardownCluster(host, 'demo')).toContain('network k8s-platform and its seal')
    expect(exec.calls).toContain('docker network rm k8s-platform')
  })

  it('leaves no empty folder behind below the state, and keeps those of others', async () => {
    const host = testHost({ exec: nothing() })
    const folder = join(host.paths.state, 'clusters', 'demo')
    await mkdir(folder, { recursive: true })
    await saveState(host, stateOf({ name: 'demo', folder }))
    await teardownCluster(host, 'demo')
    await expect(stat(host.paths.state)).rejects.toMatchObject({ code: 'ENOENT' })
    const theirs = join(host.paths.temp, 'demo')
    await mkdir(theirs, { recursive: true })
    await saveState(host, stateOf({ name: 'demo', folder: theirs }))
    await teardownCluster(host, 'demo')
    expect(await readdir(host.paths.temp)).toEqual([])
  })

  it('does nothing, twice, where nothing is', async () => {
    const host = testHost({ exec: nothing() })
    expect(await teardownCluster(host, 'demo')).toEqual([])
    expect(await teardownCluster(host, 'demo')).toEqual([])
  })

  it('works without a state, from the labels', async () => {
    const exec = scriptedExec([
      [/^docker ps .*kind\.cluster=demo/, lines('demo-control-plane')],
      [/^docker ps/, ''],
      [/^docker rm/, ''],
    ])
    expect(await teardownCluster(testHost({ exec }), 'demo')).toEqual(['container demo-control-plane'])
  })

  it('leaves a network that others use, and passes on the duty to remove it', async () => {
    const exec = scriptedExec([
      [/^docker ps/, ''],
      [
        /^docker network rm kind$/,
        { exitCode: 1, stderr: 'error while removing network: network kind id abc has active endpoints' },
      ],
    ])
    const host = testHost({ exec })
    const network = { name: 'kind', created: true, sealed: false }
    await saveState(host, stateOf({ name: 'demo', folder: join(host.paths.temp, 'demo'), network }))
    await saveState(host, stateOf({ name: 'other', network: { ...network, created: false } }))
    expect(await teardownCluster(host, 'demo')).not.toContain('network kind')
    expect((await readState(host, 'other'))?.network).toEqual(network)
  })

  it('leaves a network that only stopped nodes are on, which Docker itself would remove', async () => {
    const exec = scriptedExec([
      [/^docker ps --all --quiet --filter network=kind$/, 'id-of-a-stopped-node\n'],
      [/^docker ps/, ''],
      [/^docker network rm kind$/, 'kind'],
    ])
    const host = testHost({ exec })
    const network = { name: 'kind', created: true, sealed: false }
    await saveState(host, stateOf({ name: 'demo', folder: join(host.paths.temp, 'demo'), network }))
    await saveState(host, stateOf({ name: 'stopped', network: { ...network, created: false } }))
    expect(await teardownCluster(host, 'demo')).not.toContain('network kind')
    expect((await readState(host, 'stopped'))?.network?.created).toBe(true)
  })

  it('does not touch a network that was there before us', async () => {
    const host = testHost({ exec: nothing() })
    await saveState(
      host,
      stateOf({
        name: 'demo',
        folder: join(host.paths.temp, 'demo'),
        network: { name: 'kind', created: false, sealed: false },
      }),
    )
    await teardownCluster(host, 'demo')
  })

  it('tries every step, keeps the state for the next try, and then fails', async () => {
    const log = recordingLogger()
    const exec = scriptedExec([
      [/^docker ps .*kind\.cluster/, lines('demo-worker')],
      [/^docker ps/, ''],
      [/^docker rm/, { exitCode: 1, stderr: 'Cannot connect to the Docker daemon' }],
    ])
    const host = testHost({ exec, log })
    const folder = join(host.paths.temp, 'demo')
    await mkdir(folder, { recursive: true })
    await saveState(host, stateOf({ name: 'demo', folder }))
    await expect(teardownCluster(host, 'demo')).rejects.toThrow(/Cannot connect/)
    expect(await readdir(host.paths.temp)).toEqual([])
    expect((await readState(host, 'demo'))?.phase).toBe('deleting')
    expect(log.lines).toContainEqual(
      expect.stringMatching(/^warning: the containers of cluster demo could not be removed/),
    )
  })

  it('counts a container that somebody else is removing as removed', async () => {
    const exec = scriptedExec([
      [/^docker ps .*kind\.cluster/, lines('demo-worker')],
      [/^docker ps/, ''],
      [
        /^docker rm/,
        {
          exitCode: 1,
          stderr: 'Error response from daemon: removal of container id-demo-worker is already in progress',
        },
      ],
    ])
    expect(await teardownCluster(testHost({ exec }), 'demo')).toEqual(['container demo-worker'])
  })

  it('keeps the logs when told to', async () => {
    const host = testHost({ exec: nothing() })
    const folder = join(host.paths.temp, 'demo')
    await mkdir(join(folder, 'logs'), { recursive: true })
    await mkdir(join(folder, 'certs.d'))
    await writeFile(join(folder, 'kubeconfig'), 'x')
    await saveState(host, stateOf({ name: 'demo', folder, kubeconfig: join(folder, 'kubeconfig') }))
    await teardownCluster(host, 'demo', { keepLogs: true })
    expect(await readdir(folder)).toEqual(['logs'])
  })
})

describe('leftovers', () => {
  it('are clusters of dead jobs, and half-made or half-removed ones of dead commands', async () => {
    const person = { ...stateOf({ name: 'a' }).owner, kind: 'person' } as const
    expect(await isLeftover(stateOf({ name: 'a' }), allDead)).toBe(true)
    expect(await isLeftover(stateOf({ name: 'a', owner: person }), allDead)).toBe(false)
    expect(await isLeftover(stateOf({ name: 'a', owner: person, phase: 'failed' }), allDead)).toBe(false)
    expect(await isLeftover(stateOf({ name: 'a', owner: person, phase: 'creating' }), allDead)).toBe(true)
    expect(await isLeftover(stateOf({ name: 'a', owner: person, phase: 'deleting' }), allDead)).toBe(true)
  })

  it('never are those of a living or invisible neighbour', async () => {
    const living = { ...allDead, process: async () => ({ name: 'Runner.Worker', parent: 1, startTime: '1000' }) }
    expect(await isLeftover(stateOf({ name: 'a' }), living)).toBe(false)
    expect(await isLeftover(stateOf({ name: 'a' }), { ...allDead, pidNamespace: async () => 'pid:[2]' })).toBe(false)
  })

  it('are swept, the neighbours left alone', async () => {
    const host = testHost({ exec: nothing() })
    const alive = { ...stateOf({ name: 'x' }).owner, pid: 200, startTime: '2000' }
    await saveState(host, stateOf({ name: 'dead', folder: join(host.paths.temp, 'dead') }))
    await saveState(host, stateOf({ name: 'neighbour', owner: alive }))
    const table = {
      ...allDead,
      process: async (pid: number) =>
        pid === 200 ? { name: 'Runner.Worker', parent: 1, startTime: '2000' } : undefined,
    }
    await sweepLeftovers(host, table)
    expect((await listStates(host)).map((state) => state.name)).toEqual(['neighbour'])
  })
})

describe('claimCluster', () => {
  // The owner of stateOf is of another boot than this machine's, so dead.
  const here = async (name: string, changes = {}): Promise<Parameters<typeof saveState>[1]> => {
    const { currentOwner } = await import('../../../src/cluster/owner.ts')
    return stateOf({ name, owner: await currentOwner({ pid: process.pid, kind: 'job' }), ...changes })
  }

  it('takes a free name, and one that a dead run left', async () => {
    const host = testHost({ exec: nothing() })
    expect(await claimCluster(host, await here('demo', { phase: 'creating' }), false)).toBeUndefined()
    await saveState(host, stateOf({ name: 'demo', folder: join(host.paths.temp, 'demo') }))
    expect(await claimCluster(host, await here('demo', { phase: 'creating' }), false)).toBeUndefined()
    expect((await readState(host, 'demo'))?.phase).toBe('creating')
  })

  it('takes a name again that an earlier step of the job has failed with, once that step is over', async () => {
    const host = testHost({ exec: nothing() })
    const wanted = await here('demo', { phase: 'creating' })
    const folder = join(host.paths.temp, 'demo')
    await saveState(host, { ...wanted, folder, phase: 'failed', maker: wanted.owner })
    await expect(claimCluster(host, wanted, false)).rejects.toMatchObject({ code: 'CLUSTER_EXISTS' })
    await saveState(host, { ...wanted, folder, phase: 'failed', maker: { ...wanted.owner, startTime: '1' } })
    expect(await claimCluster(host, wanted, false)).toBeUndefined()
  })

  it('lets one of two that find what a dead run left have the name', async () => {
    const host = testHost({ exec: nothing() })
    await saveState(host, stateOf({ name: 'demo', folder: join(host.paths.temp, 'demo') }))
    const wanted = await here('demo', { phase: 'creating' })
    const claims = await Promise.allSettled([claimCluster(host, wanted, false), claimCluster(host, wanted, false)])
    expect(claims.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(claims.find((claim) => claim.status === 'rejected')?.reason).toMatchObject({ code: 'CLUSTER_EXISTS' })
    expect(await readdir(host.paths.state)).toEqual(['demo.json'])
  })

  it('hands out a living one only when it may be reused and was made from the same request', async () => {
    const host = testHost({ exec: nothing() })
    const present = await saveState(host, await here('demo'))
    expect(await claimCluster(host, await here('demo'), true)).toEqual(present)
    await expect(claimCluster(host, await here('demo'), false)).rejects.toMatchObject({ code: 'CLUSTER_EXISTS' })
    await expect(claimCluster(host, await here('demo', { requestKey: 'other' }), true)).rejects.toThrow(
      /made from other settings/,
    )
    await saveState(host, await here('demo', { phase: 'creating' }))
    await expect(claimCluster(host, await here('demo'), true)).rejects.toThrow(
      /exists already \(creating, made by run 7|process/,
    )
  })
})
