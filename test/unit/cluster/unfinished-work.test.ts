import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { identityOf, livenessOf } from '../../../src/cluster/owner.ts'
import {
  endUnfinishedWork,
  linuxPrograms,
  makingHost,
  type Program,
  type Programs,
} from '../../../src/cluster/unfinished-work.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'
import { stateOf } from './states.ts'

const nobody: Programs = { making: async () => [], signal: () => {} }
const creating = { name: 'demo', phase: 'creating', nodeImage: 'node:1', containers: ['demo-control-plane'] } as const

it('finds a program by what its environment says, not those of other clusters', async () => {
  const host = testHost()
  const started = Promise.withResolvers<number>()
  const over = new AbortController()
  const sleeping = makingHost(host, 'demo')
    .exec.run('sleep', ['60'], { onStart: started.resolve, signal: over.signal })
    .catch(() => {})
  const pid = await started.promise
  // Between fork and exec a child still looks like its parent.
  await expect.poll(() => linuxPrograms.making('demo')).toEqual([{ pid, command: ['sleep', '60'] }])
  expect(await linuxPrograms.making('dem')).toEqual([])
  await endUnfinishedWork(host, 'demo', undefined)
  await sleeping
  expect(await linuxPrograms.making('demo')).toEqual([])
})

it('kills what goes on, and lets clients that have asked Docker for something see the answer', async () => {
  let running: Program[] = [
    { pid: 1, command: ['/opt/kind', 'create', 'cluster'] },
    { pid: 2, command: ['/usr/bin/docker', 'run', '--name', 'demo-worker'] },
    { pid: 3, command: ['docker', 'exec', 'demo-control-plane', 'kubeadm'] },
  ]
  const killed: number[] = []
  const programs: Programs = {
    async making() {
      const now = running
      running = running.filter(({ pid }) => !killed.includes(pid)).slice(0, running.length === 1 ? 0 : undefined)
      return now
    },
    signal: (pid) => void killed.push(pid),
  }
  await endUnfinishedWork(testHost(), 'demo', undefined, programs)
  expect(new Set(killed)).toEqual(new Set([1, 3]))
})

it('ends the run that still makes the cluster, first with SIGTERM, and never one that only has its number', async () => {
  const child = spawn('sleep', ['60'])
  const ended = once(child, 'exit')
  const maker = await identityOf(child.pid ?? 0)
  const host = testHost({ exec: scriptedExec([]) })
  await endUnfinishedWork(
    host,
    'demo',
    stateOf({ name: 'demo', phase: 'creating', maker: { ...maker, startTime: '1' } }),
  )
  await endUnfinishedWork(host, 'demo', stateOf({ name: 'demo', phase: 'ready', maker }))
  expect(await livenessOf(maker)).toBe('alive')
  await endUnfinishedWork(host, 'demo', stateOf({ name: 'demo', phase: 'creating', maker }))
  expect(await ended).toEqual([null, 'SIGTERM'])
})

it('waits for a container that Docker is still creating', async () => {
  let looks = 0
  const exec = scriptedExec([
    [/^docker container inspect .*demo-control-plane$/, () => ({ exitCode: ++looks < 4 ? 1 : 0 })],
    [
      /^docker create --name demo-control-plane --label k8s-platform.cluster=demo node:1$/,
      {
        exitCode: 1,
        stderr: 'Conflict. The container name "/demo-control-plane" is already in use by container "abc".',
      },
    ],
  ])
  await endUnfinishedWork(testHost({ exec }), 'demo', stateOf(creating), nobody)
  expect(looks).toBe(4)
})

it('takes back the container with which it tried a name that was free', async () => {
  const exec = scriptedExec([
    [/^docker container inspect/, { exitCode: 1 }],
    [/^docker create/, 'id-1'],
    [/^docker ps .*k8s-platform\.cluster=demo/, 'id-1\tdemo-control-plane\tcreated\t\nid-2\tdemo-registry\trunning\t'],
    [/^docker rm --force --volumes id-1$/, ''],
  ])
  await endUnfinishedWork(testHost({ exec }), 'demo', stateOf(creating), nobody)
  expect(exec.calls.at(-1)).toBe('docker rm --force --volumes id-1')
})

it('tries no names of a cluster that was ready: nothing of it was under way', async () => {
  const exec = scriptedExec([])
  await endUnfinishedWork(testHost({ exec }), 'demo', stateOf({ ...creating, phase: 'ready' }), nobody)
  expect(exec.calls).toEqual([])
})
