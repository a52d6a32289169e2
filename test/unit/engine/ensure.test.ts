import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { ensureEngine } from '../../../src/engine/ensure.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { fakeMachine, hostOn } from './fake-machine.ts'

const silent = { exitCode: 1, stderr: 'Cannot connect to the Docker daemon' }
const planned = `Inst libnftnl11 (1.2.4-2 Debian:12/stable [amd64])
Inst tzdata [2024a] (2025b Debian:12/stable [amd64])
Inst docker.io (20.10.24 Debian:12/stable [amd64])
Conf docker.io (20.10.24 Debian:12/stable [amd64])
`

/** docker answers once its dockerd runs. */
function engineAnswers(machine: { events: string[] }) {
  return () => (machine.events.some((event) => event.startsWith('dockerd')) ? '20.10.24\n' : silent)
}

function record(machine: { root: string }) {
  return JSON.parse(readFileSync(path.join(machine.root, '/state/engine/engine.json'), 'utf8'))
}

describe('no engine and Docker not installed', () => {
  test('without install: an error that names the flag, and nothing is done', async () => {
    const machine = fakeMachine()
    const exec = scriptedExec([[/^docker version/, silent]])
    await expect(ensureEngine(hostOn(exec), { install: false, machine })).rejects.toMatchObject({
      code: 'DOCKER_MISSING',
      hint: expect.stringContaining('--install-docker'),
    })
    expect(machine.events).toEqual([])
    expect(existsSync(path.join(machine.root, '/state/engine'))).toBe(false)
  })

  test('with install: records what is new before installing, starts dockerd, and says it is ours', async () => {
    const machine = fakeMachine()
    const exec = scriptedExec([
      [/^docker version/, engineAnswers(machine)],
      [/^docker --version/, 'Docker version 28.2.2'],
      [/^id -u/, '0\n'],
      [/^apt-get .*-s install/, planned],
      [/tables-save/, { exitCode: 1, stderr: 'not found' }],
      [
        /^apt-get .* install -y --no-install-recommends docker.io iptables nftables$/,
        () => {
          expect(record(machine).packages).toEqual(['libnftnl11', 'docker.io'])
          expect(readFileSync(path.join(machine.root, '/usr/sbin/policy-rc.d'), 'utf8')).toContain('exit 101')
          machine.files.write('/usr/sbin/dockerd', '')
          return ''
        },
      ],
    ])
    const engine = await ensureEngine(hostOn(exec), { install: true, machine })
    expect(engine).toEqual({ version: '20.10.24', ours: true })
    expect(machine.events).toEqual([
      'dockerd --config-file /state/engine/daemon.json --pidfile /state/engine/dockerd.pid',
    ])
    expect(existsSync(path.join(machine.root, '/usr/sbin/policy-rc.d'))).toBe(false)
    expect(record(machine)).toMatchObject({
      packages: ['libnftnl11', 'docker.io'],
      created: expect.arrayContaining(['/var/lib/docker', '/etc/docker']),
      createdGroup: true,
      daemon: { pid: 4711, startTicks: '471100', bootId: 'boot-1' },
      sysctls: { 'net/ipv4/ip_forward': '0' },
      firewall: { ipv4: { tables: [] }, ipv6: { tables: [] } },
    })
    expect(record(machine)).not.toHaveProperty('runtimeWrapper')
  })

  test("an administrator's policy-rc.d is left alone", async () => {
    const machine = fakeMachine()
    machine.files.write('/usr/sbin/policy-rc.d', '#!/bin/sh\nexit 0\n')
    const exec = scriptedExec([
      [/^docker version/, engineAnswers(machine)],
      [/^docker --version/, ''],
      [/^id -u/, '0\n'],
      [/^apt-get/, planned],
      [/tables-save/, ''],
    ])
    await ensureEngine(hostOn(exec), { install: true, machine })
    expect(readFileSync(path.join(machine.root, '/usr/sbin/policy-rc.d'), 'utf8')).toBe('#!/bin/sh\nexit 0\n')
  })

  test('with install but not as root: says so', async () => {
    const exec = scriptedExec([
      [/^docker version/, silent],
      [/^id -u/, '1000\n'],
    ])
    await expect(ensureEngine(hostOn(exec), { install: true, machine: fakeMachine() })).rejects.toMatchObject({
      code: 'DOCKER_INSTALL_UNSUPPORTED',
      message: 'installing Docker needs root',
    })
  })

  test('where root lacks a capability dockerd gets the wrapper as default runtime, beside what the user configured', async () => {
    const machine = fakeMachine({ capabilities: 'CapBnd:\t000001fffeffffff\n' })
    const user = '{\n  "log-driver": "local"\n}\n'
    machine.files.write('/etc/docker/daemon.json', user)
    const exec = scriptedExec([
      [/^docker version/, engineAnswers(machine)],
      [/^docker --version/, ''],
      [/^id -u/, '0\n'],
      [/^apt-get/, planned],
      [/tables-save/, ''],
      [/^go build .* -o \/state\/engine\/capless-runtime/, ''],
    ])
    await ensureEngine(hostOn(exec), { install: true, machine })
    expect(JSON.parse(readFileSync(path.join(machine.root, '/state/engine/daemon.json'), 'utf8'))).toEqual({
      'log-driver': 'local',
      runtimes: { 'k8s-platform-capless': { path: '/state/engine/capless-runtime' } },
      'default-runtime': 'k8s-platform-capless',
    })
    expect(readFileSync(path.join(machine.root, '/etc/docker/daemon.json'), 'utf8')).toBe(user)
    expect(record(machine)).toMatchObject({ runtimeWrapper: '/state/engine/capless-runtime' })
    expect(record(machine).created).not.toContain('/etc/docker')
  })

  test('a dockerd that ends at once is reported with the end of its log', async () => {
    const machine = fakeMachine({
      onDaemon: (self) => {
        self.files.write('/state/engine/dockerd.log', 'starting\nfailed to start daemon: no cgroup mount\n')
        self.files.remove('/proc/4711')
        return 'exit code 1'
      },
    })
    machine.files.write('/usr/sbin/dockerd', '')
    const exec = scriptedExec([
      [/^docker version/, silent],
      [/tables-save/, ''],
    ])
    await expect(ensureEngine(hostOn(exec), { install: true, machine })).rejects.toMatchObject({
      code: 'DOCKERD_FAILED',
      message: expect.stringContaining('exit code 1'),
      diagnostics: expect.arrayContaining(['failed to start daemon: no cgroup mount']),
    })
  })
})

describe('an engine that we installed and that does not run any more', () => {
  test('is started again, also without install, and the record of the first time is kept', async () => {
    const machine = fakeMachine()
    machine.files.write('/usr/sbin/dockerd', '')
    const first = { version: 1, packages: ['docker.io'], created: ['/var/lib/docker'], createdGroup: true, sysctls: {} }
    const dead = { pid: 99, startTicks: '1', bootId: 'boot-0' }
    const firewall = { ipv4: { tables: [] }, ipv6: { tables: [] } }
    machine.files.write('/state/engine/engine.json', JSON.stringify({ ...first, firewall, daemon: dead }))
    const exec = scriptedExec([[/^docker version/, engineAnswers(machine)]])
    const host = hostOn(exec)
    // Twice at once: one starts it, the other finds it.
    const engines = await Promise.all([1, 2].map(() => ensureEngine(host, { install: false, machine })))
    expect(engines).toEqual([
      { version: '20.10.24', ours: true },
      { version: '20.10.24', ours: true },
    ])
    expect(machine.events).toHaveLength(1)
    expect(record(machine)).toMatchObject({ ...first, daemon: { pid: 4711 } })
  })
})

test.each([
  ['is another program by now', '812 (bash) S 0 0', false],
  ['is a zombie', '812 (containerd) Z 0 0', false],
  ['is gone', undefined, false],
  ['still runs', '812 (containerd) S 0 0', true],
])('a containerd that a killed dockerd left and that %s', async (_what, stat, kept) => {
  const machine = fakeMachine()
  const pidFile = '/run/docker/containerd/containerd.pid'
  machine.files.write(pidFile, '812\n')
  machine.files.write('/usr/sbin/dockerd', '')
  if (stat !== undefined) machine.files.write('/proc/812/stat', `${stat}\n`)
  const exec = scriptedExec([
    [/^docker version/, engineAnswers(machine)],
    [/^docker --version/, 'Docker version 28.2.2'],
    [/^id -u/, '0\n'],
    [/tables-save/, { exitCode: 1, stderr: 'not found' }],
  ])
  await ensureEngine(hostOn(exec), { install: true, machine })
  expect(existsSync(path.join(machine.root, pidFile))).toBe(kept)
})

test('an installation that broke off is gone on with, and what was there before the first attempt counts', async () => {
  const machine = fakeMachine()
  const first = { version: 1, packages: ['runc'], created: ['/var/lib/docker'], createdGroup: true, sysctls: {} }
  const firewall = { ipv4: { tables: [] }, ipv6: { tables: [] } }
  machine.files.write('/state/engine/engine.json', JSON.stringify({ ...first, firewall }))
  const exec = scriptedExec([
    [/^docker version/, engineAnswers(machine)],
    [/^docker --version/, ''],
    [/^id -u/, '0\n'],
    [/^apt-get/, planned],
  ])
  await ensureEngine(hostOn(exec), { install: true, machine })
  expect(record(machine)).toMatchObject({ ...first, packages: ['runc', 'libnftnl11', 'docker.io'] })
})

describe("a user's own engine", () => {
  test('that runs is used and not recorded', async () => {
    const machine = fakeMachine()
    machine.run(77, 'dockerd')
    const exec = scriptedExec([[/^docker version/, '28.1.1\n']])
    expect(await ensureEngine(hostOn(exec), { install: true, machine })).toEqual({ version: '28.1.1', ours: false })
    expect(exec.calls).toHaveLength(1)
    expect(existsSync(path.join(machine.root, '/state/engine'))).toBe(false)
  })

  test('that cannot run privileged containers is refused with what it lacks', async () => {
    const machine = fakeMachine()
    machine.run(77, 'dockerd', 'CapBnd:\t000001fffeffffff\n')
    const exec = scriptedExec([
      [/^docker version/, '28.1.1\n'],
      [/^docker info/, 'runc\n'],
    ])
    await expect(ensureEngine(hostOn(exec), { install: true, machine })).rejects.toMatchObject({
      code: 'DOCKER_CAPABILITIES',
      message: expect.stringContaining('CAP_SYS_RESOURCE'),
    })
    expect(machine.events).toEqual([])
  })

  test('that is stopped under systemd is not started behind its back', async () => {
    const machine = fakeMachine()
    machine.files.write('/usr/bin/dockerd', '')
    machine.files.write('/run/systemd/system/.keep', '')
    const exec = scriptedExec([[/^docker version/, silent]])
    await expect(ensureEngine(hostOn(exec), { install: true, machine })).rejects.toMatchObject({
      code: 'DOCKER_STOPPED',
    })
  })
})
