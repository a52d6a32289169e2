import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { repositoryRoot } from './repository.ts'

/**
 * `npm run test:unit` and its like: vitest under this very Node. The first argument is the folder to run; files or folders that are given after it replace it,
 * because vitest runs what matches any of its arguments.
 */
const [folder = 'test', ...rest] = process.argv.slice(2)
// Also one that does not exist: vitest then finds no file and says so.
const named = (argument: string): boolean =>
  argument.startsWith('test/') || existsSync(path.join(repositoryRoot, argument))
const filters = rest.some(named) ? rest : [folder, ...rest]
const vitest = path.join(repositoryRoot, 'node_modules', 'vitest', 'vitest.mjs')
const result = spawnSync(process.execPath, [vitest, 'run', ...filters], {
  cwd: repositoryRoot,
  stdio: 'inherit',
})
process.exit(result.status ?? 1)
