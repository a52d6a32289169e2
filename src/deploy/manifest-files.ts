import { glob, readFile, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { messageOf, type Problem } from '../process/errors.ts'
import type { ManifestText } from './parse-manifests.ts'

const endings = ['.yaml', '.yml', '.json']
const mostFiles = 2_000
/** Before it is read at all. */
const largestFile = 64 * 1024 * 1024

/**
 * The manifests that paths name: files, folders (their own files, as `kubectl apply -f` takes them, by name), and globs. `root`, where given, is a folder that none may
 * lead out of, by links neither.
 */
export async function readManifests(
  patterns: readonly string[],
  root: string | undefined,
): Promise<{ texts: ManifestText[]; problems: Problem[] }> {
  const problems: Problem[] = []
  const files = new Set<string>()
  for (const pattern of patterns) {
    const found = await filesOf(pattern)
    if (found.length === 0) problems.push(await nothingAt(pattern))
    for (const file of found) files.add(file)
  }
  if (files.size > mostFiles)
    problems.push({ name: 'manifests', value: `${files.size} files`, problem: 'are too many' })
  const texts: ManifestText[] = []
  for (const file of [...files].slice(0, mostFiles)) {
    const problem = (await confinement('manifests', file, root)) ?? (await sizeProblem(file))
    if (problem !== undefined) problems.push(problem)
    else texts.push({ name: file, text: await readFile(file, 'utf8') })
  }
  return { texts, problems }
}

async function filesOf(pattern: string): Promise<string[]> {
  const found = await stat(pattern).catch(() => undefined)
  if (found?.isFile() === true) return [path.normalize(pattern)]
  const search = found?.isDirectory() === true ? endings.map((ending) => path.join(pattern, `*${ending}`)) : [pattern]
  if (found === undefined && !/[*?[{]/.test(pattern)) return []
  const files: string[] = []
  for await (const match of glob(search)) {
    if (endings.includes(path.extname(match)) && (await isFile(match))) files.push(match)
  }
  return files.sort()
}

async function nothingAt(pattern: string): Promise<Problem> {
  const found = await stat(pattern).catch(() => undefined)
  const folder = found?.isDirectory() === true
  const kustomization =
    folder && (await isFile(path.join(pattern, 'kustomization.yaml'))) ? '; it is a kustomization: use `kustomize`' : ''
  return {
    name: 'manifests',
    value: pattern,
    problem: folder ? `holds no manifests${kustomization}` : 'names no file',
    allowed: `files, folders and globs of ${endings.join(', ')}`,
    example: 'k8s/*.yaml',
  }
}

/** A path that leads out of the root, or cannot be followed. */
export async function confinement(input: string, file: string, root: string | undefined): Promise<Problem | undefined> {
  const problem = (text: string): Problem => ({
    name: input,
    value: file,
    problem: text,
    allowed: root === undefined ? 'a path that is there' : 'a path inside of the workspace',
  })
  try {
    const real = await realpath(file)
    if (root === undefined) return undefined
    const relative = path.relative(await realpath(root), real)
    return relative === '..' || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative)
      ? problem('leads out of the workspace')
      : undefined
  } catch (error) {
    return problem(`cannot be read: ${messageOf(error)}`)
  }
}

async function sizeProblem(file: string): Promise<Problem | undefined> {
  const { size } = await stat(file)
  return size > largestFile
    ? { name: file, problem: 'is too large for manifests', allowed: `at most ${largestFile / 1024 / 1024} MiB` }
    : undefined
}

function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  )
}
