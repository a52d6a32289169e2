import { type Document, LineCounter, type ScalarTag, type Tags } from 'yaml'
import { parseYamlDocuments } from '../process/yaml-document.ts'

/** One document of a stream, as JSON data, or what is wrong with it. */
export interface YamlDocument {
  /** Counted from 1. */
  readonly number: number
  /** Line on which its content begins, counted from 1. */
  readonly line: number
  /** JSON data; null for an empty document. With a problem it is what other readers may see there, if anything. */
  readonly content: unknown
  readonly problem?: { readonly line: number; readonly text: string }
}

/** Values that other YAML 1.1 readers know and those of Kubernetes do not: dates stay text, and so do `12:30` and `y`. */
const foreign = /:(timestamp|binary|omap|pairs|set)$/
const yes = /^(?:[Yy]es|YES|[Tt]rue|TRUE|[Oo]n|ON)$/
const no = /^(?:[Nn]o|NO|[Ff]alse|FALSE|[Oo]ff|OFF)$/

function tags(all: Tags): Tags {
  return all.flatMap((tag): Tags => {
    if (typeof tag === 'string') return [tag]
    const { format, test } = tag as ScalarTag
    if (foreign.test(tag.tag) || format === 'TIME') return []
    if (!tag.tag.endsWith(':bool') || test === undefined) return [tag]
    // The two of YAML 1.1; a document that declares 1.2 has a single one.
    return [
      test.test('yes')
        ? { ...(tag as ScalarTag), test: yes }
        : test.test('no')
          ? { ...(tag as ScalarTag), test: no }
          : tag,
    ]
  })
}

/**
 * Reads a stream as Kubernetes does: YAML 1.1 (0440 is octal, `yes` is true) with merge keys. Never throws: keys given twice, unknown tags, aliases that go round in
 * circles or blow up are problems of their document.
 */
export function parseKubernetesYaml(text: string): YamlDocument[] {
  const lines = new LineCounter()
  let documents: readonly Document[]
  try {
    documents = parseYamlDocuments(text, {
      version: '1.1',
      lineCounter: lines,
      customTags: tags,
      prettyErrors: false,
      // Otherwise it writes to stderr by itself, with text of the document in it.
      logLevel: 'error',
    })
  } catch (error) {
    return [{ number: 1, line: 1, content: undefined, problem: { line: 1, text: inOneLine(error) } }]
  }
  // Of a text that it gives up at once it knows no line.
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line)
  return documents.map((document, index) => {
    const line = lineAt(document.contents?.range?.[0] ?? document.range?.[0] ?? 0)
    const at = { number: index + 1, line }
    const found = document.errors[0] ?? document.warnings[0]
    const problem = found === undefined ? {} : { problem: { line: lineAt(found.pos[0]), text: inOneLine(found) } }
    // What it holds cannot be known, or not in time.
    if (found?.code === 'RESOURCE_EXHAUSTION') return { ...at, content: undefined, ...problem }
    try {
      // JSON is what is sent; what cannot be written as JSON, such as an alias inside of its own anchor, cannot be sent.
      return { ...at, content: JSON.parse(JSON.stringify(document.toJS() ?? null)) as unknown, ...problem }
    } catch (caught) {
      return { ...at, content: undefined, problem: { line, text: inOneLine(caught) }, ...problem }
    }
  })
}

function inOneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n')[0]?.replace(/:$/, '') ?? message
}
