import type { Stats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { type Document, isMap, isNode, LineCounter } from 'yaml'
import { z } from 'zod'
import { InputError, messageOf, type Problem } from '../process/errors.ts'
import { nearestName } from '../process/nearest-name.ts'
import { printable } from '../process/printable.ts'
import { parseYamlDocument } from '../process/yaml-document.ts'
import { type Spec, specSchema } from './schema.ts'

/** Far more than fifty nodes and ten profiles take. */
const mostBytes = 1024 * 1024

/** A valid spec and where it came from, so that later findings can point to a line. */
export interface LoadedSpec {
  readonly spec: Spec
  readonly file: string
  /** Line of the value at a path such as `['cluster', 'workers']`, counted from 1. */
  lineOf(path: readonly (string | number)[]): number | undefined
}

/**
 * Reads and validates the whole file before anything runs.
 * @throws InputError with every problem: its path, line, value, what is allowed, and an example or the nearest known key.
 */
export async function loadSpec(file: string): Promise<LoadedSpec> {
  const refused = (problem: string, cause?: unknown): InputError =>
    new InputError([{ name: 'spec', value: file, problem, allowed: 'path of a platform.yaml' }], { cause })
  let text: string
  try {
    const { size } = await fileStatus(file)
    if (size > mostBytes) throw refused(`is larger than ${mostBytes / 1024} KiB`)
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw error instanceof InputError ? error : refused(`cannot be read: ${printable(messageOf(error))}`, error)
  }
  return parseSpec(text, file)
}

/** A device or a pipe may give bytes without end, or never one. */
async function fileStatus(file: string): Promise<Stats> {
  const status = await stat(file)
  if (!status.isFile()) throw new Error('it is not a file')
  return status
}

export function parseSpec(text: string, file: string): LoadedSpec {
  const lines = new LineCounter()
  // Aliases are bounded by the library: a file cannot blow up memory.
  const document = parseYamlDocument(text, {
    lineCounter: lines,
    // A key that is a list or a map would become some text of the library's choice, with a warning on stderr.
    stringKeys: true,
    // No tags of YAML 1.1: a `!!set` or `!!omap` is a map to the schema, whose keys it cannot see.
    resolveKnownTags: false,
  })
  const [syntax] = [...document.errors, ...document.warnings]
  if (syntax !== undefined) {
    const line = lines.linePos(syntax.pos[0]).line
    throw new InputError(
      [{ name: `${file}:${line}`, problem: `is not YAML: ${printable(syntax.message.split('\n')[0] ?? '')}` }],
      {
        cause: syntax,
      },
    )
  }
  const lineOf = (path: readonly (string | number)[]): number | undefined => lineAt(document, lines, path)
  let content: unknown
  try {
    content = document.toJS()
    // An anchor may lie in what it names: a value without end, which nothing below can show or compare.
    JSON.stringify(content)
  } catch (error) {
    const why = messageOf(error).split('\n')[0] ?? ''
    throw new InputError([{ name: file, problem: `is not usable YAML: ${printable(why)}` }], { cause: error })
  }
  const result = specSchema.safeParse(content)
  if (result.success) return { spec: result.data, file, lineOf }
  const where = (path: SpecPath, fallback: SpecPath): string => {
    const line = lineOf(path) ?? lineOf(fallback)
    return `${file}${line === undefined ? '' : `:${line}`} ${renderPath(path)}`.trimEnd()
  }
  throw new InputError(result.error.issues.flatMap((issue) => problemsOf(issue, content, where)))
}

export type SpecPath = readonly (string | number)[]

/**
 * What the schema says against a value, for people.
 * @param where Names the place; `parent` is the map it lies in where it is a key that does not exist.
 */
export function problemsOf(
  issue: z.core.$ZodIssue,
  content: unknown,
  where: (path: SpecPath, parent: SpecPath) => string,
): Problem[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(path)
    return issue.keys.map((key) => {
      const near = nearestName(key, known)
      return {
        name: where([...path, key], path),
        problem: `is not a known key${near === undefined ? '' : `; did you mean ${near}?`}`,
        allowed: known.join(', '),
      }
    })
  }
  const value = valueAt(content, path)
  const shown = value === undefined ? {} : { value: typeof value === 'string' ? value : JSON.stringify(value) }
  return [{ name: where(path, path), ...shown, problem: explain(issue, value) }]
}

function explain(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      if (value === undefined) return `is missing; allowed: ${issue.expected}`
      // YAML reads 1.30 as the number 1.3: only quotes keep what was written.
      if (issue.expected === 'string' && typeof value === 'number') return 'is a number; put it in quotes'
      return `is not ${article(issue.expected)}`
    case 'invalid_value': {
      const allowed = issue.values.map(String)
      const near = typeof value === 'string' ? nearestName(value, allowed) : undefined
      return `${value === undefined ? 'is missing' : 'is not known'}; allowed: ${allowed.join(', ')}${near === undefined ? '' : `; did you mean ${near}?`}`
    }
    case 'too_small':
      return `is too small; allowed: at least ${issue.minimum}`
    case 'too_big':
      return `is too big; allowed: at most ${issue.maximum}`
    default:
      return issue.message
  }
}

function article(type: string): string {
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`
}

/** `cluster.nodes[1].taints`. */
export function renderPath(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  )
}

function valueAt(content: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (value as Record<string | number, unknown> | undefined | null)?.[part],
    content,
  )
}

function lineAt(document: Document, lines: LineCounter, path: readonly (string | number)[]): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const parent = length === 0 ? document.contents : document.getIn(path.slice(0, length - 1), true)
    const key = path[length - 1]
    if (isMap(parent) && key !== undefined) {
      const pair = parent.items.find((item) => String(item.key) === String(key))
      if (isNode(pair?.key) && pair.key.range) return lines.linePos(pair.key.range[0]).line
    }
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
  }
  return undefined
}

/** The keys that the schema knows at a path, for the nearest name. */
function keysAt(path: readonly (string | number)[]): string[] {
  let schema: z.ZodType | undefined = specSchema
  for (const part of path) {
    schema = unwrap(schema)
    if (schema instanceof z.ZodObject) schema = schema.shape[String(part)] as z.ZodType | undefined
    else if (schema instanceof z.ZodArray) schema = schema.element as z.ZodType
    else if (schema instanceof z.ZodRecord) schema = schema.valueType as z.ZodType
    else return []
  }
  schema = unwrap(schema)
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

function unwrap(schema: z.ZodType | undefined): z.ZodType | undefined {
  return schema instanceof z.ZodOptional ? unwrap(schema.unwrap() as z.ZodType) : schema
}
