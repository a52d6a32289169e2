import { InputError } from '../process/errors.ts'
import { nearestName } from '../process/nearest-name.ts'
import { parseDuration } from '../spec/duration.ts'
import type { InputDefinition } from './define-action.ts'

/** PATH_MAX of Linux. */
const longestPath = 4096

export type ParsedValue = string | number | boolean | readonly string[]

export type InputResult =
  | { readonly value: ParsedValue; readonly specValue: unknown }
  | { readonly problem: string; readonly value?: string; readonly allowed: string }

/** What a value of this input looks like, for people: README and errors. */
export function allowedValues(definition: InputDefinition): string {
  switch (definition.type) {
    case 'choice':
      return definition.of.join(', ')
    case 'choices':
      return `any of ${definition.of.join(', ')}, separated by commas or line breaks`
    case 'integer':
      return `a whole number from ${definition.min} to ${definition.max}`
    case 'boolean':
      return 'true, false'
    case 'duration':
      return 'a number with a unit (ms, s, m, h)'
    case 'list':
      return definition.separator === 'line' ? 'one value per line' : 'values separated by commas'
    case 'path':
      return 'a path without line breaks'
    case 'secret':
      return 'a secret of the workflow'
    case 'version':
      return 'a minor such as 1.36 or 1.36.x, or an exact version such as 1.36.4'
    case 'string':
      return definition.pattern?.allowed ?? 'text of one line'
  }
}

/** Checks one value, which is not empty and has no space around it. Pure; never throws. */
export function parseInput(definition: InputDefinition, text: string): InputResult {
  const bad = (problem: string): InputResult => ({
    problem,
    value: definition.type === 'secret' ? '***' : text,
    allowed: allowedValues(definition),
  })
  // A control character has no business in any value and much power in logs and files. Line breaks separate the values of lists.
  const control = separatesByLines(definition) ? /[^\P{Cc}\t\r\n]/u : /\p{Cc}/u
  if (definition.type === 'path' && isContent(text))
    return { ...bad('is not a path; what is in the file does not belong here'), value: '***' }
  if (control.test(text)) return bad('holds a line break or another control character')
  if (!text.isWellFormed()) return bad('is not Unicode text')
  switch (definition.type) {
    case 'choice': {
      if (definition.of.includes(text)) return same(text)
      const near = nearestName(text, definition.of)
      return bad(`is not known${near === undefined ? '' : `; did you mean ${near}?`}`)
    }
    case 'choices': {
      const words = split(text, /[,\r\n]/)
      const wrong = words.filter((word) => !definition.of.includes(word))
      if (wrong.length > 0) return bad(`holds ${wrong.map((word) => JSON.stringify(word)).join(', ')}`)
      return words.length === 0 ? bad('names nothing') : same([...new Set(words)])
    }
    case 'integer': {
      const number = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN
      if (Number.isNaN(number)) return bad('is not a whole number')
      return number < definition.min || number > definition.max ? bad('is out of range') : same(number)
    }
    case 'boolean':
      return text === 'true' || text === 'false' ? same(text === 'true') : bad('is not a boolean')
    case 'duration':
      return parseDurationInput(text, bad)
    case 'list': {
      const values = split(text, definition.separator === 'line' ? /[\r\n]/ : /[,\r\n]/)
      return values.length === 0 ? bad('names nothing') : same(values)
    }
    case 'version':
      return /^v?\d+\.\d+(\.(\d+|x))?$/.test(text) ? same(text) : bad('is not a version')
    case 'string':
      return definition.pattern?.regex.test(text) === false ? bad('has another form than allowed') : same(text)
    case 'path':
    case 'secret':
      return same(text)
  }
}

/** No path, but what somebody may have in a secret, a kubeconfig with its keys: several lines, JSON, or more than the kernel takes for a path. */
function isContent(text: string): boolean {
  return /[\r\n]/.test(text) || text.startsWith('{') || text.length > longestPath
}

function separatesByLines(definition: InputDefinition): boolean {
  // A key or a certificate has many lines.
  return definition.type === 'list' || definition.type === 'choices' || definition.type === 'secret'
}

function parseDurationInput(text: string, bad: (problem: string) => InputResult): InputResult {
  try {
    // The spec keeps durations as text.
    return { value: parseDuration(text), specValue: text }
  } catch (error) {
    if (error instanceof InputError) return bad('is not a duration')
    throw error
  }
}

function same(value: ParsedValue): InputResult {
  return { value, specValue: value }
}

function split(text: string, separator: RegExp): string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
