/** `npm run generate`: writes every generated file. With `--check`, writes nothing and fails for each one that is not as it would be written. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { generatedFiles, textOf } from './generated-files.ts'
import { repositoryRoot } from './repository.ts'

const check = process.argv.includes('--check')
for (const [name, content] of await generatedFiles()) {
  const file = path.join(repositoryRoot, name)
  if ((await textOf(file)) === content) continue
  if (check) {
    console.error(`${name} is not what its source says: run \`npm run generate\``)
    process.exitCode = 1
  } else {
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, content)
    console.log(`wrote ${name}`)
  }
}
