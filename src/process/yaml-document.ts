import {
  type Document,
  type DocumentOptions,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  type ParseOptions,
  parseAllDocuments,
  parseDocument,
  type SchemaOptions,
  type ToJSOptions,
  type YAMLMap,
  YAMLParseError,
} from 'yaml'

export type YamlOptions = Omit<ParseOptions & DocumentOptions & SchemaOptions & ToJSOptions, 'uniqueKeys'>

/**
 * The library looks for what an alias means among all nodes, once for each: this many steps are a moment, and no file of a person's is near it.
 */
const mostAliasSteps = 20_000_000

/**
 * Reads a stream of YAML in time that grows with its length. The library itself compares every key with every other of its mapping: with 50,000 keys that is a minute. So keys
 * given twice are found here, as one error each, and more aliases than can be followed are one, too. Keys count as the same when they are the same in JSON.
 */
export function parseYamlDocuments(text: string, options: YamlOptions = {}): Document[] {
  const parsed = parseAllDocuments(text, { ...options, uniqueKeys: false })
  if ('empty' in parsed) return []
  const documents = [...parsed] as Document[]
  for (const document of documents) complain(document, options.prettyErrors === false ? undefined : linesOf(text))
  return documents
}

/** As {@link parseYamlDocuments}, for a text that is one document. */
export function parseYamlDocument(text: string, options: YamlOptions = {}): Document {
  const document = parseDocument(text, { ...options, uniqueKeys: false }) as Document
  complain(document, options.prettyErrors === false ? undefined : linesOf(text))
  return document
}

/**
 * The content of a text that is one document. Warnings are nobody's: the library would write them to stderr, with text of the document in them.
 * @throws YAMLParseError, the first; with `logLevel: 'silent'` only where nothing can be made of it.
 */
export function parseYaml(text: string, options: YamlOptions = {}): unknown {
  const document = parseYamlDocument(text, { logLevel: 'error', ...options })
  const [first] = document.errors.filter(({ code }) => options.logLevel !== 'silent' || code === 'RESOURCE_EXHAUSTION')
  if (first !== undefined) throw first
  return document.toJS(options) as unknown
}

function complain(document: Document, lines: (() => LineCounter) | undefined): void {
  const found = findings(document)
  if (found.length === 0) return
  for (const error of found) {
    if (lines === undefined) continue
    const { line, col } = lines().linePos(error.pos[0])
    error.message += ` at line ${line}, column ${col}`
  }
  document.errors = [...document.errors, ...found].sort((one, other) => one.pos[0] - other.pos[0])
}

/** Made once, and only where it is needed. */
function linesOf(text: string): () => LineCounter {
  let lines: LineCounter | undefined
  return () => {
    if (lines !== undefined) return lines
    lines = new LineCounter()
    lines.addNewLine(0)
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1)
    return lines
  }
}

function findings(document: Document): YAMLParseError[] {
  const found: YAMLParseError[] = []
  let nodes = 0
  let aliases = 0
  // No recursion: how deep it may go is the parser's to say.
  const open: unknown[] = [document.contents]
  while (open.length > 0) {
    const node = open.pop()
    nodes += 1
    if (isAlias(node)) aliases += 1
    else if (isPair(node)) open.push(node.key, node.value)
    else if (isCollection(node)) {
      if (isMap(node)) found.push(...repeatedKeys(node))
      for (const item of node.items) open.push(item)
    }
  }
  if (aliases * nodes > mostAliasSteps) {
    const start = document.range?.[0] ?? 0
    const message = `Too many aliases: ${aliases} among ${nodes} nodes`
    found.push(new YAMLParseError([start, start + 1], 'RESOURCE_EXHAUSTION', message))
  }
  return found
}

function repeatedKeys(map: YAMLMap): YAMLParseError[] {
  const keys = new Set<string>()
  return map.items.flatMap(({ key }) => {
    // Those of `<<` are symbols: a mapping may be merged with several.
    if (!isScalar(key) || typeof key.value === 'symbol') return []
    const name = key.value === null ? '' : String(key.value)
    if (!keys.has(name)) {
      keys.add(name)
      return []
    }
    const [start, end] = key.range ?? [0, 1]
    return [new YAMLParseError([start, end], 'DUPLICATE_KEY', 'Map keys must be unique')]
  })
}
