import { readFile } from 'node:fs/promises'
import { messageOf, type Problem } from '../process/errors.ts'
import { parseYaml } from '../process/yaml-document.ts'
import { confinement } from './manifest-files.ts'

/** The texts of Helm values files, each a mapping. */
export async function readValuesFiles(
  files: readonly string[],
  root: string | undefined,
): Promise<{ texts: string[]; problems: Problem[] }> {
  const texts: string[] = []
  const problems: Problem[] = []
  for (const file of files) {
    const bad = (problem: string): Problem => ({
      name: 'values',
      value: file,
      problem,
      allowed: 'a YAML file of Helm values',
    })
    // Helm's list of files cannot hold every one of them as it is.
    const outside = /\p{Cc}/u.test(file)
      ? bad('has a control character in its name')
      : await confinement('values', file, root)
    if (outside !== undefined) {
      problems.push(outside)
      continue
    }
    try {
      const text = await readFile(file, 'utf8')
      const content: unknown = parseYaml(text, { logLevel: 'silent' })
      if (content !== null && (typeof content !== 'object' || Array.isArray(content)))
        problems.push(bad('is not a mapping'))
      texts.push(text)
    } catch (error) {
      problems.push(bad(`cannot be read: ${messageOf(error).split('\n')[0]}`))
    }
  }
  return { texts, problems }
}
