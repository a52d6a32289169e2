import { readFile, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Problem } from '../process/errors.ts'
import { parseYaml } from '../process/yaml-document.ts'
import { confinement } from './manifest-files.ts'

/** Names that kustomize takes for its own file. */
export const kustomizationFiles = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']

/** Fields whose entries may be folders or repositories. The files of all others kustomize itself holds below the folder that names them. */
const fields = ['resources', 'bases', 'components', 'generators', 'transformers', 'validators']

/** What kustomize fetches, even where a folder has that name: URLs, `git::`, `gh:`, GitHub without a scheme, and `user@host:`. */
const remote = /^(?:[a-z][a-z0-9+.-]*:\/\/|git::|gh:|github\.com[/:]|[^/]+@[^/]+:)/i

/** Bases that lead out of the root, by links neither, and remote ones that are not pinned; those of bases too. What cannot be read is kustomize's to tell. */
export async function baseProblems(folder: string, root: string): Promise<Problem[]> {
  const problems: Problem[] = []
  const seen = new Set<string>()
  const visit = async (at: string): Promise<void> => {
    const real = await realpath(at)
    if (seen.has(real)) return
    seen.add(real)
    for (const entry of await entriesOf(real)) {
      if (remote.test(entry)) problems.push(...pinProblem(entry))
      else {
        // A manifest written in place of a path is no path.
        const base = path.resolve(real, entry)
        const found = await stat(base).catch(() => undefined)
        if (found === undefined) continue
        const outside = await confinement('kustomize', base, root)
        if (outside !== undefined) problems.push(outside)
        else if (found.isDirectory()) await visit(base)
      }
    }
  }
  await visit(folder)
  return problems
}

async function entriesOf(folder: string): Promise<string[]> {
  for (const name of kustomizationFiles) {
    const text = await readFile(path.join(folder, name), 'utf8').catch(() => undefined)
    if (text === undefined) continue
    const content = contentOf(text)
    return fields
      .flatMap((field): unknown[] => (Array.isArray(content[field]) ? content[field] : []))
      .filter((entry) => typeof entry === 'string')
  }
  return []
}

function contentOf(text: string): Record<string, unknown> {
  try {
    const content: unknown = parseYaml(text, { logLevel: 'silent' })
    return typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** A commit says what is fetched; a branch, a tag or a file of a web server says it anew every time. */
function pinProblem(entry: string): Problem[] {
  const query = new URLSearchParams(entry.split('?').slice(1).join('?'))
  const [ref, ...more] = [...query.getAll('ref'), ...query.getAll('version')]
  if (ref !== undefined && /^[0-9a-f]{40}$/.test(ref) && more.length === 0) return []
  return [
    {
      name: 'kustomize',
      value: entry,
      problem: 'is a remote base that is not pinned to a commit',
      allowed: 'a folder of the workspace, or a repository with ?ref= and a whole commit',
    },
  ]
}
