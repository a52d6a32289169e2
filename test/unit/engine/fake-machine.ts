import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Machine } from '../../../src/engine/machine.ts'
import type { Exec } from '../../../src/process/exec.ts'
import type { Host } from '../../../src/process/host.ts'
import { testHost } from '../../support/test-host.ts'

export interface FakeMachine extends Machine {
  /** `dockerd --config-file ...`, and `SIGTERM 4711`. */
  readonly events: string[]
  readonly files: { write(file: string, text: string): void; remove(file: string): void }
  /** A process in /proc, as long as nobody ends it. */
  run(pid: number, name: string, status?: string): void
}

const everyCapability = 'CapBnd:\t000001ffffffffff\n'

/**
 * A folder that looks like a Debian machine without Docker. `onDaemon` plays dockerd: by default it makes its socket and stays.
 */
export function fakeMachine(
  options: { capabilities?: string; onDaemon?: (machine: FakeMachine) => string | undefined } = {},
): FakeMachine {
  const root = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-machine-'))
  const events: string[] = []
  const files = {
    write(file: string, text: string) {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
      writeFileSync(path.join(root, file), text)
    },
    remove: (file: string) => rmSync(path.join(root, file), { recursive: true, force: true }),
  }
  files.write('/etc/os-release', 'ID=debian\nVERSION_ID="12"\n')
  files.write('/etc/group', 'root:x:0:\n')
  files.write('/usr/bin/apt-get', '')
  files.write('/usr/sbin/.keep', '')
  files.write('/run/.keep', '')
  files.write('/proc/self/status', options.capabilities ?? everyCapability)
  files.write('/proc/self/mounts', '/dev/vda / ext4 rw 0 0\n')
  files.write('/proc/sys/kernel/cap_last_cap', '40\n')
  files.write('/proc/sys/kernel/random/boot_id', 'boot-1\n')
  files.write('/proc/sys/net/ipv4/ip_forward', '0\n')
  const machine: FakeMachine = {
    root,
    events,
    files,
    run(pid, name, status = everyCapability) {
      const rest = Array.from({ length: 18 }, () => '0').join(' ')
      files.write(`/proc/${pid}/stat`, `${pid} (${name}) S ${rest} ${pid}00 0\n`)
      files.write(`/proc/${pid}/comm`, `${name}\n`)
      files.write(`/proc/${pid}/status`, status)
    },
    async startDaemon(command, args) {
      events.push([command, ...args].join(' '))
      machine.run(4711, 'dockerd')
      const end = options.onDaemon === undefined ? undefined : options.onDaemon(machine)
      if (options.onDaemon === undefined) files.write('/run/docker.sock', '')
      return { pid: 4711, ended: end === undefined ? new Promise(() => {}) : Promise.resolve(end) }
    },
    signal(pid, signal) {
      events.push(`${signal} ${pid}`)
      files.remove(`/proc/${pid}`)
      return true
    },
  }
  return machine
}

/** A host whose state lies on the fake machine. */
export function hostOn(exec: Exec): Host {
  const paths = { assets: '/assets', temp: '/temp', cache: '/cache', state: '/state' }
  return testHost({ exec, paths, env: { PATH: '/usr/bin' } })
}
