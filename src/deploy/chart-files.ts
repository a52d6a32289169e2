import { readdir, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Problem } from '../process/errors.ts'
import { confinement } from './manifest-files.ts'

/** More than any chart has; a link that leads up to a whole disk ends here. */
const mostFiles = 10_000

/**
 * Every file of a chart's folder as Helm reads it, links followed: names below the folder, sorted. A link that leads out of the root, to nowhere, or round in a circle is a problem.
 */
export async function chartFiles(
  chart: string,
  root: string | undefined,
): Promise<{ files: string[]; problems: Problem[] }> {
  const files: string[] = []
  const problems: Problem[] = []
  const visit = async (relative: string, above: readonly string[]): Promise<void> => {
    for (const entry of await readdir(path.join(chart, relative), { withFileTypes: true })) {
      if (files.length > mostFiles) return
      const name = path.posix.join(relative, entry.name)
      const file = path.join(chart, name)
      const problem = entry.isSymbolicLink() ? await confinement('chart', file, root) : undefined
      if (problem !== undefined) {
        problems.push(problem)
        continue
      }
      const found = await stat(file)
      if (found.isFile()) files.push(name)
      if (!found.isDirectory()) continue
      const real = await realpath(file)
      if (above.includes(real))
        problems.push({ name: 'chart', value: file, problem: 'is a link to a folder that it lies in' })
      else await visit(name, [...above, real])
    }
  }
  await visit('', [await realpath(chart)])
  if (files.length > mostFiles)
    problems.push({ name: 'chart', value: chart, problem: 'holds too many files', allowed: `at most ${mostFiles}` })
  return { files: files.sort(), problems }
}
