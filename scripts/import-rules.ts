import path from 'node:path'

/**
 * The direction of dependencies: actions/ and src/cli -> src/pipeline -> features -> process, kubernetes, tools. Files are given with their text, so that a test can
 * plant an offence.
 */
export interface SourceFile {
  /** From the root of the repository, such as `src/cluster/kind.ts`. */
  readonly path: string
  readonly text: string
}

type Layer = 'process' | 'base' | 'probe' | 'feature' | 'pipeline' | 'action' | 'cli' | 'actions'

/** What each layer may import, besides itself. */
const mayImport: Readonly<Record<Layer, readonly Layer[]>> = {
  process: [],
  base: ['process'],
  // Sent into pods as one file. Features share its protocol.
  probe: [],
  feature: ['process', 'base', 'probe'],
  pipeline: ['process', 'base', 'feature'],
  action: ['process', 'base', 'feature', 'pipeline'],
  cli: ['process', 'base', 'feature', 'pipeline'],
  actions: ['process', 'base', 'feature', 'pipeline', 'action'],
}

const layerOfFolder: Readonly<Record<string, Layer>> = {
  'src/process': 'process',
  'src/kubernetes': 'base',
  'src/tools': 'base',
  'src/probe': 'probe',
  'src/pipeline': 'pipeline',
  'src/action': 'action',
  'src/cli': 'cli',
}

/** Who may look at the world outside of what it is given: the two boundaries, and the script that runs alone in a pod. */
const boundaries: readonly Layer[] = ['action', 'cli', 'actions', 'probe']

function layerOf(file: string): Layer {
  if (file.startsWith('actions/')) return 'actions'
  return layerOfFolder[file.split('/').slice(0, 2).join('/')] ?? 'feature'
}

interface Import {
  readonly target: string
  readonly line: number
}

/** Static and dynamic imports, types too: a type is a dependency for whoever reads. */
export function importsOf(text: string): Import[] {
  const pattern =
    /(?:^|\n)(?:import|export)\b[^'"`=(;]*?\bfrom\s*['"]([^'"\n]+)['"]|(?:^|\n)import\s*['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]/g
  return [...text.matchAll(pattern)].map((match) => ({
    target: match[1] ?? match[2] ?? match[3] ?? '',
    line: text.slice(0, match.index + match[0].length).split('\n').length,
  }))
}

/** One line for each offence: where it is, and which rule. */
export function importProblems(files: readonly SourceFile[]): string[] {
  const known = new Set(files.map((file) => file.path))
  return files.flatMap((file) => {
    const layer = layerOf(file.path)
    const problems: string[] = []
    for (const { target, line } of importsOf(file.text)) {
      const at = `${file.path}:${line}`
      if (!target.startsWith('.')) {
        if (target.startsWith('@actions/') && layer !== 'action')
          problems.push(`${at} imports ${target}: only src/action may`)
        if (!target.startsWith('node:') && layer === 'probe')
          problems.push(`${at} imports ${target}: the probe script has no dependencies`)
        continue
      }
      const resolved = path.posix.join(path.posix.dirname(file.path), target)
      if (!known.has(resolved)) problems.push(`${at} imports ${resolved}, which does not exist`)
      else if (layerOf(resolved) !== layer && !mayImport[layer].includes(layerOf(resolved)))
        problems.push(`${at} imports ${resolved}: ${layer} may not depend on ${layerOf(resolved)}`)
    }
    if (!boundaries.includes(layer)) problems.push(...worldProblems(file))
    if (/\/(utils|index)\.ts$/.test(file.path)) problems.push(`${file.path}: name a file after its one concern`)
    return problems
  })
}

/** A feature is given time and environment with its Host. */
function worldProblems(file: SourceFile): string[] {
  const clock = file.path === 'src/process/clock.ts'
  return file.text.split('\n').flatMap((line, index) => {
    // A comment may speak of what the code must not do.
    const code = line.replace(/\/\/.*$/, '').replace(/^\s*\*.*$/, '')
    const at = `${file.path}:${index + 1}`
    if (/\bprocess\.env\b/.test(code)) return [`${at} reads the environment: it must be given what it needs`]
    if (!clock && /\b(Date\.now\(|new Date\(\)|performance\.now\()/.test(code))
      return [`${at} reads the clock: use the host's`]
    return []
  })
}
