import { expect, test } from 'vitest'
import { engineFacts } from '../../../src/engine/facts.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { fakeMachine, hostOn } from './fake-machine.ts'

function machineWithNumbers() {
  const machine = fakeMachine()
  machine.files.write('/proc/meminfo', 'MemTotal:       24000000 kB\nMemFree: 1 kB\nMemAvailable:   20000000 kB\n')
  machine.files.write('/proc/cpuinfo', 'processor\t: 0\nmodel name\t: x\nprocessor\t: 1\n')
  machine.files.write('/proc/sys/fs/inotify/max_user_instances', '128\n')
  machine.files.write('/proc/sys/fs/inotify/max_user_watches', '192536\n')
  return machine
}

const numbers = {
  cpus: 2,
  memoryTotalBytes: 24_000_000 * 1024,
  memoryAvailableBytes: 20_000_000 * 1024,
  inotifyInstances: 128,
  inotifyWatches: 192_536,
}

test('measures the machine and asks the engine', async () => {
  const info = {
    ServerVersion: '20.10.24',
    CgroupVersion: '1',
    CgroupDriver: 'cgroupfs',
    Driver: 'overlay2',
    DefaultRuntime: 'runc',
    Architecture: 'x86_64',
    DockerRootDir: '/var/lib/docker',
  }
  const exec = scriptedExec([[/^docker info/, JSON.stringify(info)]])
  expect(await engineFacts(hostOn(exec), machineWithNumbers())).toEqual({
    ...numbers,
    version: '20.10.24',
    cgroupVersion: '1',
    cgroupDriver: 'cgroupfs',
    storageDriver: 'overlay2',
    defaultRuntime: 'runc',
    architecture: 'x86_64',
    dataRoot: '/var/lib/docker',
    diskFreeBytes: expect.any(Number),
  })
})

test('without an engine only the machine is described', async () => {
  const exec = scriptedExec([[/^docker info/, { stdout: '{"ServerErrors":["no daemon"]}', exitCode: 1 }]])
  expect(await engineFacts(hostOn(exec), machineWithNumbers())).toEqual(numbers)
})
