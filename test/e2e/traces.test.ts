import { existsSync, readdirSync } from 'node:fs'
import { expect, inject, it } from 'vitest'
import { runCli } from '../support/cli.ts'
import { difference, hostSnapshot, leftBehind } from '../support/host-snapshot.ts'

const shared = inject('shared')
const env = { K8S_PLATFORM_STATE_DIR: shared.stateFolder }

it('the host really looked different while the cluster was up: the comparison can fail', async () => {
  const changed = difference(shared.before, await hostSnapshot())
  expect(Object.keys(changed)).toEqual(
    expect.arrayContaining(['containers', 'networks', 'iptables', 'nftables', 'mounts', 'processes']),
  )
})

it('down leaves nothing of the cluster: containers, networks, rules, mounts, namespaces, processes, files', async () => {
  const down = await runCli(['down', '--cluster-name', shared.name], { env })
  expect(down.code, down.log).toBe(0)
  expect(down.stdout).toContain(`container ${shared.name}-control-plane`)
  expect(down.stdout).toMatch(/kept: the image cache at /)
  expect(leftBehind(shared.before, await hostSnapshot())).toEqual({})
  // The folder itself goes with its last cluster.
  expect(existsSync(shared.stateFolder) ? readdirSync(shared.stateFolder) : []).toEqual([])
})

it('down again is content that nothing is there', async () => {
  const again = await runCli(['down', '--cluster-name', shared.name], { env })
  expect(again.code).toBe(0)
  expect(again.stdout).toContain('nothing was there')
})
