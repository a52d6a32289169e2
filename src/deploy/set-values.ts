import { YAMLParseError } from 'yaml'
import { InputError, type Problem } from '../process/errors.ts'
import { parseYaml } from '../process/yaml-document.ts'

/**
 * Values given one by one, as in `web.replicas=2`: a path of keys, and a YAML scalar. `web.password=fromEnv:PASSWORD` takes the variable's value, as text: so no secret
 * is written in a workflow, and none is on a command line.
 * @throws InputError with every problem.
 */
export function parseSetValues(
  lines: readonly string[],
  env: Readonly<Record<string, string>>,
): { values: Record<string, unknown>; secrets: string[]; variables: string[] } {
  const problems: Problem[] = []
  const secrets: string[] = []
  const variables: string[] = []
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const line of lines) {
    const match = /^([^=]+)=(.*)$/s.exec(line)
    const keys = match?.[1]?.trim().split('.') ?? []
    if (match === null || keys.some((key) => !/^[\w-]+$/.test(key))) {
      problems.push({ ...shape(line), problem: 'is not a path of keys and a value' })
      continue
    }
    const key = keys.join('.')
    const found = readSetValue(match[2] ?? '', env)
    if ('secret' in found) {
      secrets.push(found.secret)
      variables.push(found.variable)
    }
    const problem = 'problem' in found ? found.problem : put(values, keys, found.value)
    // The value is not shown: it may be what somebody took for a secret's place.
    if (problem !== undefined) problems.push({ ...shape(key), problem })
  }
  if (problems.length > 0) throw new InputError(problems)
  return { values, secrets, variables }
}

function shape(value: string): { name: string; value: string; allowed: string; example: string } {
  const shown = value.split('=')[0] ?? ''
  return {
    name: 'set',
    value: shown,
    allowed: 'key.of.value=text, or key.of.value=fromEnv:NAME',
    example: 'web.replicas=2',
  }
}

interface FromVariable {
  readonly value: string
  readonly secret: string
  readonly variable: string
}

function readSetValue(
  text: string,
  env: Readonly<Record<string, string>>,
): { readonly value: unknown } | FromVariable | { readonly problem: string } {
  const name = /^fromEnv:(.*)$/.exec(text)?.[1]
  if (name !== undefined) {
    // Not shown: it may be what somebody took for a secret's place.
    if (!/^\w+$/.test(name)) return { problem: 'does not name a variable after fromEnv:' }
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    return value === undefined
      ? { problem: `takes variable ${name}, which is not set` }
      : { value, secret: value, variable: name }
  }
  try {
    const value: unknown = text === '' ? '' : parseYaml(text)
    // A list or mapping belongs into a file; text such as `a: b` is meant as it stands.
    return { value: typeof value === 'object' && value !== null ? text : value }
  } catch (error) {
    return { problem: `has a value that cannot be read: ${reasonOf(error)}` }
  }
}

/** The parser's own words, without the text that it quotes. */
function reasonOf(error: unknown): string {
  return error instanceof YAMLParseError ? error.code.toLowerCase().replaceAll('_', ' ') : 'it is too odd'
}

function put(values: Record<string, unknown>, keys: readonly string[], value: unknown): string | undefined {
  let at = values
  for (const key of keys.slice(0, -1)) {
    const next = at[key] ?? (Object.create(null) as Record<string, unknown>)
    if (typeof next !== 'object') return `goes below ${key}, which has a value already`
    at[key] = next
    at = next as Record<string, unknown>
  }
  const last = keys.at(-1) ?? ''
  if (at[last] !== undefined) return 'is given twice'
  at[last] = value
  return undefined
}
