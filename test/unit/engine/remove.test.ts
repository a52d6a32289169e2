import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { describeEngine } from '../../../src/engine/describe.ts'
import { removeEngine } from '../../../src/engine/remove.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { type FakeMachine, fakeMachine, hostOn } from './fake-machine.ts'

const noTable = { exitCode: 1, stderr: 'Error: No such file or directory' }
const installedStatus = 'docker.io installed\ncontainerd installed\niptables installed\n'

function installedMachine(): FakeMachine {
  const machine = fakeMachine()
  for (const file of ['/var/lib/docker/image', '/var/lib/containerd/x', '/etc/docker/key.json', '/run/docker.sock']) {
    machine.files.write(file, '')
  }
  machine.files.write('/proc/sys/net/ipv4/ip_forward', '1\n')
  machine.run(4711, 'dockerd')
  machine.files.write(
    '/state/engine/engine.json',
    JSON.stringify({
      version: 1,
      packages: ['containerd', 'iptables', 'docker.io'],
      created: ['/etc/docker', '/var/lib/docker', '/var/lib/containerd', '/run/docker.sock'],
      createdGroup: true,
      sysctls: { 'net/ipv4/ip_forward': '0' },
      firewall: { ipv4: { tables: [] }, ipv6: { tables: [] } },
      daemon: { pid: 4711, startTicks: '471100', bootId: 'boot-1' },
    }),
  )
  return machine
}

function script(overrides: Parameters<typeof scriptedExec>[0] = []) {
  return scriptedExec([
    ...overrides,
    [/^docker version/, '20.10.24\n'],
    [/^docker ps/, ''],
    [/^nft --json list/, noTable],
    [/^ip -json link/, '[{"ifname":"docker0"},{"ifname":"br0"},{"ifname":"br-0123456789ab"}]'],
    [/^ip link delete/, ''],
    [/tables-save/, ''],
    [/^dpkg-query/, installedStatus],
    [/^apt-get .*-s purge/, 'Purg docker.io [20.10]\nPurg containerd [1.6]\nPurg iptables [1.8]\n'],
    [/^apt-get/, ''],
    [/^groupdel docker$/, ''],
    [/^sysctl -q -w net.ipv4.ip_forward=0$/, ''],
  ])
}

test('undoes what the record says, in this order, and leaves the rest', async () => {
  const machine = installedMachine()
  const exec = script()
  const removed = await removeEngine(hostOn(exec), machine)
  expect(removed).toEqual([
    'the dockerd that was started here (process 4711)',
    'the packages containerd iptables docker.io',
    '/var/lib/docker with its images and volumes',
  ])
  expect(machine.events).toEqual(['SIGTERM 4711'])
  expect(exec.calls.filter((line) => !/version|docker ps|-save|dpkg-query|-s purge|nft|-json/.test(line))).toEqual([
    'ip link delete docker0',
    'ip link delete br-0123456789ab',
    expect.stringMatching(/^apt-get .* purge -y containerd iptables docker.io$/),
    'groupdel docker',
    'sysctl -q -w net.ipv4.ip_forward=0',
  ])
  for (const gone of ['/etc/docker', '/var/lib/docker', '/var/lib/containerd', '/run/docker.sock', '/state/engine']) {
    expect(existsSync(path.join(machine.root, gone)), gone).toBe(false)
  }
  expect(existsSync(path.join(machine.root, '/etc/os-release'))).toBe(true)
  expect(await removeEngine(hostOn(script()), machine)).toEqual([])
})

test('a process id that somebody else has by now gets no signal', async () => {
  const machine = installedMachine()
  machine.files.write('/proc/sys/kernel/random/boot_id', 'boot-2\n')
  await removeEngine(hostOn(script()), machine)
  expect(machine.events).toEqual([])
})

test('a package that something else needs by now is kept, and its files with it', async () => {
  const machine = installedMachine()
  const exec = script([
    [/^apt-get .*-s purge containerd$/, 'Purg containerd [1.6]\nRemv docker-ce [28]\n'],
    [/^apt-get .*-s purge (iptables|docker.io)$/, ''],
    [/^apt-get .*-s purge/, 'Purg containerd [1.6]\nRemv docker-ce [28]\nPurg iptables [1.8]\n'],
  ])
  await removeEngine(hostOn(exec), machine)
  expect(exec.calls).toContainEqual(expect.stringMatching(/purge -y iptables docker.io$/))
  expect(existsSync(path.join(machine.root, '/var/lib/containerd'))).toBe(true)
  expect(existsSync(path.join(machine.root, '/var/lib/docker'))).toBe(false)
})

test('nothing is removed while containers run', async () => {
  const machine = installedMachine()
  const exec = script([[/^docker ps/, 'database\n']])
  await expect(removeEngine(hostOn(exec), machine)).rejects.toMatchObject({
    code: 'ENGINE_IN_USE',
    message: 'Docker is still running 1 container(s): database',
  })
  expect(machine.events).toEqual([])
  expect(existsSync(path.join(machine.root, '/state/engine.lock'))).toBe(false)
})

test("with a user's engine there is nothing to name and nothing to remove", async () => {
  const host = hostOn(scriptedExec([]))
  expect(await describeEngine(host, fakeMachine())).toBeUndefined()
  expect(await removeEngine(host, fakeMachine())).toEqual([])
})

test('only the started dockerd is ours where Docker was installed before', async () => {
  const machine = installedMachine()
  const record = {
    version: 1,
    packages: [],
    created: [],
    createdGroup: false,
    sysctls: {},
    firewall: { ipv4: { tables: [] }, ipv6: { tables: [] } },
    daemon: { pid: 4711, startTicks: '471100', bootId: 'boot-1' },
  }
  machine.files.write('/state/engine/engine.json', JSON.stringify(record))
  expect(await describeEngine(hostOn(script()), machine)).toBe(
    'the Docker engine installed for it: the dockerd that was started here (process 4711)',
  )
  const exec = script()
  await removeEngine(hostOn(exec), machine)
  expect(machine.events).toEqual(['SIGTERM 4711'])
  expect(exec.calls.some((line) => line.startsWith('apt-get'))).toBe(false)
  expect(existsSync(path.join(machine.root, '/var/lib/docker'))).toBe(true)
})

test("data that was there before the packages is kept from the package's own purge", async () => {
  const machine = installedMachine()
  const text = readFileSync(path.join(machine.root, '/state/engine/engine.json'), 'utf8')
  machine.files.write('/state/engine/engine.json', text.replace('"/var/lib/docker",', ''))
  const purger = '/var/lib/docker/nuke-graph-directory.sh'
  const exec = script([
    [
      /^apt-get .* remove -y/,
      () => {
        machine.files.write(purger, '')
        return ''
      },
    ],
    [
      /^apt-get .* purge -y/,
      () => {
        expect(existsSync(path.join(machine.root, purger))).toBe(false)
        return ''
      },
    ],
  ])
  await removeEngine(hostOn(exec), machine)
  expect(existsSync(path.join(machine.root, '/var/lib/docker/image'))).toBe(true)
})

test('a dockerd that was killed is started once more, so that what it left running is found and stopped', async () => {
  const machine = installedMachine()
  machine.files.write('/usr/sbin/dockerd', '')
  machine.files.remove('/proc/4711')
  const alive = () => machine.events.some((event) => event.startsWith('dockerd'))
  const exec = script([[/^docker version/, () => (alive() ? '20.10.24\n' : { exitCode: 1 })]])
  await removeEngine(hostOn(exec), machine)
  expect(machine.events).toEqual([expect.stringMatching(/^dockerd /), 'SIGTERM 4711'])
})
