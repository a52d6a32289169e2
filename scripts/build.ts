/**
 * `npm run build`: bundles everything into dist/. With `--check`, builds beside it and fails on any byte of difference: what is committed is what the source says.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type BuildOptions, build } from 'rolldown'
import configuration from '../rolldown.config.ts'
import { differences } from './folder-differences.ts'
import { repositoryRoot } from './repository.ts'

export async function buildInto(folder: string): Promise<void> {
  for (const part of [configuration].flat()) {
    const options = { ...part, logLevel: 'warn', output: { ...part.output, dir: folder } }
    await build(options as BuildOptions)
  }
  // Without it Node would look for the package.json of whoever has checked us out.
  await writeFile(path.join(folder, 'package.json'), '{\n  "type": "module"\n}\n')
}

if (import.meta.main) {
  const dist = path.join(repositoryRoot, 'dist')
  if (process.argv.includes('--check')) {
    // Beside dist/, so that relative paths in the output are the same.
    const fresh = await mkdtemp(path.join(repositoryRoot, 'node_modules', '.dist-'))
    try {
      await buildInto(fresh)
      const found = await differences(dist, fresh, ['images.json'])
      for (const line of found) console.error(`dist/${line}`)
      if (found.length > 0) {
        console.error('dist/ is not what the source says: run `npm run build` and commit the result')
        process.exitCode = 1
      }
    } finally {
      await rm(fresh, { recursive: true, force: true })
    }
  } else {
    await buildInto(dist)
  }
}
