import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../../src/cli/temporary-folder.ts'

it('goes with the next command when its own was killed, and no other folder does', () => {
  const parent = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-'))
  const first = temporaryFolder(parent)
  const own = path.basename(first).split('-').slice(0, 3).join('-')
  const others = ['k8s-platform-test-x', 'k8s-platform-1-99999999-1-Ab12Cd', 'kind-1-1-x']
  // This process's id with another start time, and an id that nobody can have.
  const dead = [`${own}-${process.pid}-1-Ab12Cd`, `${own}-99999999-1-Ab12Cd`]
  for (const name of [...others, ...dead]) mkdirSync(path.join(parent, name))
  const second = temporaryFolder(parent)
  expect(readdirSync(parent).sort()).toEqual([...others, path.basename(first), path.basename(second)].sort())
})
