import { describe, expect, it } from 'vitest'
import { identityOf } from '../../../src/cluster/owner.ts'
import { freeKindNetwork } from '../../support/registry-world.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'

/** A Docker that has the network with that bridge and that label, and two containers on it. */
function docker(network: { bridge: string; owner?: object } | undefined) {
  const owner = network?.owner === undefined ? '' : JSON.stringify(network.owner)
  const exec = scriptedExec([
    [/^docker network inspect /, network === undefined ? { exitCode: 1 } : `${network.bridge}\t${owner}\n`],
    [/^docker ps --all --quiet --filter network=kind$/, 'one\ntwo\n'],
    [/^docker (rm|network rm) /, ''],
  ])
  return { exec, removals: () => exec.calls.filter((line) => / rm /.test(line)) }
}

describe('the network kind', () => {
  it('is free where there is none', async () => {
    const { exec, removals } = docker(undefined)
    await freeKindNetwork({ exec })
    expect(removals()).toEqual([])
  })

  it('is left to whoever else made it', async () => {
    const { exec, removals } = docker({ bridge: '' })
    await expect(freeKindNetwork({ exec })).rejects.toThrow('a network `kind` that is not of this test, ')
    expect(removals()).toEqual([])
  })

  it('is left to a run of the test that lives', async () => {
    const { exec, removals } = docker({ bridge: 'kp-test-kind', owner: await identityOf(process.pid) })
    await expect(freeKindNetwork({ exec })).rejects.toThrow('another run of this test')
    expect(removals()).toEqual([])
  })

  it('goes with its containers where the run that made it is dead', async () => {
    const dead = { ...(await identityOf(process.pid)), startTime: '1' }
    const { exec, removals } = docker({ bridge: 'kp-test-kind', owner: dead })
    await freeKindNetwork({ exec })
    expect(removals()).toEqual(['docker rm --force --volumes one two', 'docker network rm kind'])
  })
})
