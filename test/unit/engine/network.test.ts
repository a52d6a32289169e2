import { expect, test } from 'vitest'
import { ensureNetwork, removeNetworkIfUnused } from '../../../src/engine/network.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { fakeMachine, hostOn } from './fake-machine.ts'

function inspection(bridge: string, ipv6 = false): string {
  const options = { 'com.docker.network.bridge.name': bridge }
  return JSON.stringify([{ EnableIPv6: ipv6, Options: options, IPAM: { Config: [{ Subnet: '172.19.0.0/16' }] } }])
}

test('makes the network once for two callers at once', async () => {
  let created = 0
  const exec = scriptedExec([
    [/^docker network ls/, () => (created > 0 ? 'id1\n' : '')],
    [/^docker network create .*name=kp-sealed0 .*k8s-platform$/, () => `${++created}`],
    [/^docker network inspect id1/, inspection('kp-sealed0')],
  ])
  const host = hostOn(exec)
  const machine = fakeMachine()
  const both = await Promise.all([ensureNetwork(host, machine), ensureNetwork(host, machine)])
  expect(both).toEqual(Array(2).fill({ name: 'k8s-platform', bridge: 'kp-sealed0', subnet: '172.19.0.0/16' }))
  expect(created).toBe(1)
})

test.each([
  ['another bridge', inspection('br-1'), 'its bridge is br-1, not kp-sealed0'],
  ['IPv6', inspection('kp-sealed0', true), 'it has IPv6'],
])('refuses a network of that name with %s', async (_what, found, message) => {
  const exec = scriptedExec([
    [/^docker network ls/, 'id1\n'],
    [/^docker network inspect/, found],
  ])
  await expect(ensureNetwork(hostOn(exec), fakeMachine())).rejects.toMatchObject({
    code: 'NETWORK_CONFLICT',
    message: expect.stringContaining(message),
  })
})

test('keeps the network and its seal while any container, also a stopped one, is attached', async () => {
  const exec = scriptedExec([
    [/^docker network ls/, 'id1\n'],
    [/^docker network inspect/, inspection('kp-sealed0')],
    [/^docker ps --all/, 'c1\n'],
  ])
  expect(await removeNetworkIfUnused(hostOn(exec), fakeMachine())).toBe(false)
})

test('removes the network and then the seal when nothing is attached', async () => {
  const exec = scriptedExec([
    [/^docker network ls/, 'id1\n'],
    [/^docker network inspect/, inspection('kp-sealed0')],
    [/^docker ps --all/, ''],
    [/^docker network rm k8s-platform/, ''],
    [/^nft --json list/, '{"nftables":[]}'],
    [/^nft -f -/, ''],
  ])
  expect(await removeNetworkIfUnused(hostOn(exec), fakeMachine())).toBe(true)
  expect(exec.calls.slice(-3)[0]).toBe('docker network rm k8s-platform')
})
