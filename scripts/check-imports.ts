/** Fails for every import against the direction of dependencies, and for features that look at the environment or the clock by themselves. */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { importProblems, type SourceFile } from './import-rules.ts'
import { repositoryRoot } from './repository.ts'

export async function sourceFiles(root: string = repositoryRoot): Promise<SourceFile[]> {
  const files: SourceFile[] = []
  for (const folder of ['src', 'actions']) {
    const entries = await readdir(path.join(root, folder), { recursive: true, withFileTypes: true })
    for (const entry of entries) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
      const file = path.relative(root, path.join(entry.parentPath, entry.name))
      files.push({ path: file, text: await readFile(path.join(root, file), 'utf8') })
    }
  }
  return files
}

if (import.meta.main) {
  const files = await sourceFiles()
  const problems = importProblems(files)
  for (const problem of problems) console.error(problem)
  if (problems.length > 0 || files.length === 0) process.exitCode = 1
}
