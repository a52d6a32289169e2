import { expect, test } from 'vitest'
import { buildFacts } from '../../../src/engine/build-facts.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { fakeMachine, hostOn } from './fake-machine.ts'

test('looks for programs on PATH and in the system folders, and for pip in Python', async () => {
  const machine = fakeMachine()
  machine.files.write('/usr/sbin/nft', '')
  machine.files.write('/usr/bin/npm', '')
  machine.files.write('/proc/self/status', 'Name:\tnode\nUid:\t0\t0\t0\t0\n')
  const exec = scriptedExec([[/^python3 -m pip --version$/, 'pip 23']])
  expect(await buildFacts(hostOn(exec), machine)).toEqual({ root: true, missing: ['go', 'wget'] })
})

test('tells a user from root, and Python without pip from one with it', async () => {
  const machine = fakeMachine()
  for (const program of ['nft', 'go', 'wget', 'npm']) machine.files.write(`/usr/bin/${program}`, '')
  machine.files.write('/proc/self/status', 'Uid:\t1000\t1000\t1000\t1000\n')
  const exec = scriptedExec([[/^python3/, { exitCode: 1, stderr: 'No module named pip' }]])
  expect(await buildFacts(hostOn(exec), machine)).toEqual({ root: false, missing: ['pip'] })
})

test('looks for nothing that is not asked for', async () => {
  const machine = fakeMachine()
  machine.files.write('/proc/self/status', 'Uid:\t0\t0\t0\t0\n')
  expect(await buildFacts(hostOn(scriptedExec([])), machine, [])).toEqual({ root: true, missing: [] })
})
