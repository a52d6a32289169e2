import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { cacheFolder } from '../src/process/environment.ts'
import { repositoryRoot } from './repository.ts'

const pins = path.join(repositoryRoot, 'scripts', 'lint-tools')

/** actionlint, built from the module pinned by go.mod and go.sum in scripts/lint-tools. Path of the program; built once. */
export function actionlint(): Promise<string> {
  return installed('actionlint', ['go.mod', 'go.sum'], 'actionlint', (folder) =>
    run('go', ['build', '-o', path.join(folder, 'actionlint'), 'github.com/rhysd/actionlint/cmd/actionlint'], pins),
  )
}

/** zizmor, from the wheel pinned by hash in scripts/lint-tools/requirements.txt. Path of the program; installed once. */
export function zizmor(): Promise<string> {
  return installed('zizmor', ['requirements.txt'], 'bin/zizmor', (folder) => {
    // Not a virtual environment: that cannot be moved, and an interrupted install must never look whole.
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--require-hashes']
    run('python3', [...args, '--target', folder, '--requirement', path.join(pins, 'requirements.txt')], pins)
  })
}

/** Installs into a folder named by what pins it, beside it first and then by rename. */
async function installed(
  tool: string,
  pinnedBy: readonly string[],
  program: string,
  install: (folder: string) => void,
): Promise<string> {
  const hash = createHash('sha256')
  for (const name of pinnedBy) hash.update(await readFile(path.join(pins, name)))
  const folder = path.join(cacheFolder(process.env), 'lint-tools', `${tool}-${hash.digest('hex').slice(0, 12)}`)
  const file = path.join(folder, program)
  if (existsSync(file)) return file
  const partial = `${folder}.${process.pid}`
  await mkdir(partial, { recursive: true })
  install(partial)
  // Somebody may have been faster; theirs is the same.
  await rename(partial, folder).catch(() => rm(partial, { recursive: true, force: true }))
  return file
}

function run(command: string, args: readonly string[], cwd: string): void {
  const result = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
  if (result.error !== undefined) throw new Error(`${command} cannot be started: ${result.error.message}`)
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} failed with exit code ${result.status}`)
}
