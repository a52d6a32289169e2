import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { repositoryRoot } from './repository.ts'

/** `npm run test:unit` and its like: vitest on the folders given, under this very Node. */
const vitest = path.join(repositoryRoot, 'node_modules', 'vitest', 'vitest.mjs')
const result = spawnSync(process.execPath, [vitest, 'run', ...process.argv.slice(2)], {
  cwd: repositoryRoot,
  stdio: 'inherit',
})
process.exit(result.status ?? 1)
