import { expect, test } from 'vitest'
import type { EngineFacts } from '../../../src/engine/facts.ts'
import { preflightProblems } from '../../../src/engine/preflight.ts'

const gibibyte = 1024 ** 3
const roomy: EngineFacts = {
  version: '28.1.1',
  cgroupVersion: '2',
  architecture: 'x86_64',
  dataRoot: '/var/lib/docker',
  diskFreeBytes: 100 * gibibyte,
  cpus: 4,
  memoryTotalBytes: 16 * gibibyte,
  memoryAvailableBytes: 12 * gibibyte,
  inotifyInstances: 1024,
  inotifyWatches: 524_288,
}
const needs = { kubernetesVersion: '1.36', controlPlanes: 1, workers: 3, imageSource: 'registry' } as const

test('a roomy host has no problem', () => {
  expect(preflightProblems(roomy, needs)).toEqual([])
})

test('each problem has the number found, what is needed and the fix', () => {
  const poor: EngineFacts = {
    ...roomy,
    cgroupVersion: '1',
    diskFreeBytes: gibibyte,
    memoryAvailableBytes: gibibyte,
    inotifyInstances: 32,
    inotifyWatches: 2048,
  }
  expect(preflightProblems(poor, needs)).toEqual([
    {
      name: 'cgroup',
      severity: 'error',
      found: 'cgroup v1',
      needed: 'cgroup v2 for Kubernetes 1.36',
      fix: expect.stringContaining('kubernetes-version 1.34'),
    },
    {
      name: 'inotify-instances',
      severity: 'error',
      found: 'fs.inotify.max_user_instances = 32',
      needed: 'at least 68, better 512',
      fix: 'sysctl -w fs.inotify.max_user_instances=512',
    },
    {
      name: 'inotify-watches',
      severity: 'error',
      found: 'fs.inotify.max_user_watches = 2048',
      needed: 'at least 4096, better 524288',
      fix: 'sysctl -w fs.inotify.max_user_watches=524288',
    },
    {
      name: 'disk',
      severity: 'error',
      found: '1.0 GiB free in /var/lib/docker',
      needed: '8 GiB',
      fix: expect.any(String),
    },
    {
      name: 'memory',
      severity: 'error',
      found: '1024 MiB available of 16384 MiB',
      needed: '2500 MiB for 1 control plane(s) and 3 worker(s)',
      fix: expect.any(String),
    },
  ])
})

test.each([
  ['1.34.3', '1', false],
  ['1.35', '1', true],
  ['1.36.x', '1', true],
  ['1.36', '2', false],
] as const)('Kubernetes %s on cgroup v%s: error %s', (kubernetesVersion, cgroupVersion, wrong) => {
  const problems = preflightProblems({ ...roomy, cgroupVersion }, { ...needs, kubernetesVersion })
  expect(problems.some((problem) => problem.name === 'cgroup')).toBe(wrong)
})

test('few inotify instances are a warning while the nodes fit, and an error when they do not', () => {
  const severity = (workers: number) =>
    preflightProblems({ ...roomy, inotifyInstances: 128 }, { ...needs, workers })[0]?.severity
  expect(severity(3)).toBe('warning')
  expect(severity(12)).toBe('error')
})

test('many nodes raise the recommendation', () => {
  const problems = preflightProblems({ ...roomy, memoryAvailableBytes: 64 * gibibyte }, { ...needs, workers: 40 })
  expect(problems.map((problem) => problem.fix)).toEqual(['sysctl -w fs.inotify.max_user_instances=1172'])
})

test('no engine is one problem of its own', () => {
  const { version, cgroupVersion, architecture, dataRoot, diskFreeBytes, ...machine } = roomy
  expect(preflightProblems(machine, needs)).toMatchObject([{ name: 'docker', found: 'no answer' }])
})

test('packages need root and nft, and the rest only for what is not built yet', () => {
  const packages = { ...needs, imageSource: 'packages' } as const
  expect(preflightProblems(roomy, packages, { root: true, missing: [] })).toEqual([])
  expect(preflightProblems(roomy, packages, { root: false, missing: ['nft', 'wget', 'pip'] })).toEqual([
    expect.objectContaining({ name: 'root', severity: 'error', found: 'not root' }),
    expect.objectContaining({ name: 'programs', severity: 'error', found: 'no nft', fix: 'apt-get install nftables' }),
    expect.objectContaining({ name: 'programs', severity: 'warning', found: 'no wget, no pip' }),
  ])
})
