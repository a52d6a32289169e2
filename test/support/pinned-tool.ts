import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from '../../src/process/environment.ts'
import { repository } from './test-host.ts'

const run = promisify(execFile)
const buildMs = 1_200_000

/**
 * Path of a program that only tests use, built from the module that go.mod and go.sum in test/support/<name>-tool pin; built once per machine.
 * @param package_ import path of its main package; `.` is a main package of our own in that folder.
 */
export async function pinnedTool(name: string, package_: string): Promise<string> {
  const pins = path.join(repository, 'test', 'support', `${name}-tool`)
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum', ...(package_ === '.' ? ['main.go'] : [])]) {
    hash.update(await readFile(path.join(pins, file)))
  }
  const folder = path.join(cacheFolder(process.env), 'test-tools', `${name}-${hash.digest('hex').slice(0, 12)}`)
  const program = path.join(folder, name)
  if (existsSync(program)) return program
  const partial = `${folder}.${process.pid}`
  const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', path.join(partial, name), package_]
  await run('go', args, { cwd: pins, env: { ...process.env, CGO_ENABLED: '0' }, timeout: buildMs })
  // Somebody may have been faster; theirs is the same.
  await rename(partial, folder).catch(() => rm(partial, { recursive: true, force: true }))
  return program
}
