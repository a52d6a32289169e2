import { InputError, type Problem } from '../process/errors.ts'
import { nearestName } from '../process/nearest-name.ts'

/** One flag of one command. `spec` is its place in platform.yaml: the value then overrides the spec's. */
export interface Flag {
  readonly type: 'string' | 'integer' | 'boolean' | 'list'
  readonly description: string
  /** What stands for the value in the help: a real one, or a word in capitals. */
  readonly value?: string
  /** A real value, where `value` is none. */
  readonly example?: string
  readonly of?: readonly string[]
  readonly pattern?: { readonly regex: RegExp; readonly allowed: string }
  /** Of a list whose values may hold commas: the flag is repeated. Otherwise commas separate them, too. */
  readonly separator?: 'line'
  /** Of a boolean that is true when nothing is said. */
  readonly default?: true
  readonly spec?: string
}

export interface Command {
  readonly name: string
  readonly summary: string
  readonly flags: Readonly<Record<string, Flag>>
  /** Allowed words after the command, such as `build|list|prune`. */
  readonly words?: { readonly name: string; readonly of: readonly string[]; readonly required: boolean }
}

export type FlagValue = string | number | boolean | readonly string[]

export interface Parsed {
  readonly flags: Readonly<Record<string, FlagValue>>
  readonly word: string | undefined
}

/** A value to type, for errors. */
export function exampleOf(flag: Flag): string | undefined {
  return flag.example ?? flag.value ?? flag.of?.[0]
}

/**
 * `--workers 2`, `--workers=2`, `--all`, `--prune=false`, `--prune false`, `--no-prune`; a list is repeated or, where its values hold none, separated by commas.
 * @throws InputError with every problem at once.
 */
export function parseArguments(command: Command, argv: readonly string[]): Parsed {
  const problems: Problem[] = []
  const flags: Record<string, FlagValue> = {}
  let word: string | undefined
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? ''
    if (!argument.startsWith('--')) {
      if (word === undefined && command.words?.of.includes(argument) === true) word = argument
      else problems.push(unexpectedWord(command, argument))
      continue
    }
    const [given = '', inline] = splitOnce(argument.slice(2))
    const positive = given.replace(/^no-/, '')
    const negated = flagOf(command, given) === undefined && flagOf(command, positive)?.type === 'boolean'
    const name = negated ? positive : given
    const flag = flagOf(command, name)
    if (flag === undefined) {
      const known = Object.keys(command.flags)
      const near = nearestName(name, known)
      problems.push({
        name: `--${name}`,
        problem: `is not a flag of ${command.name}${near === undefined ? '' : `; did you mean --${near}?`}`,
        allowed: known.map((entry) => `--${entry}`).join(', '),
      })
      continue
    }
    if (flag.type === 'boolean') {
      const next = argv[index + 1]
      const follows = inline === undefined && !negated && (next === 'true' || next === 'false')
      const value = follows ? argv[++index] : inline
      if (negated && value !== undefined) {
        problems.push({ name: `--${given}`, value, problem: 'takes no value', example: `--${name}=false` })
      } else if (value !== undefined && value !== 'true' && value !== 'false') {
        problems.push({ name: `--${name}`, value, problem: 'is not a boolean', allowed: 'true, false' })
      } else flags[name] = !negated && value !== 'false'
      continue
    }
    const text = inline ?? argv[++index]
    if (text === undefined) {
      problems.push({
        name: `--${name}`,
        problem: 'needs a value',
        ...(exampleOf(flag) === undefined ? {} : { example: `--${name} ${exampleOf(flag)}` }),
      })
      continue
    }
    const problem = readValue(flags, name, flag, text)
    if (problem !== undefined) problems.push(problem)
  }
  if (command.words?.required === true && word === undefined && problems.length === 0) {
    problems.push({ name: command.words.name, problem: 'is missing', allowed: command.words.of.join(', ') })
  }
  if (problems.length > 0) throw new InputError(problems, { hint: `See k8s-platform ${command.name} --help.` })
  return { flags, word }
}

function readValue(flags: Record<string, FlagValue>, name: string, flag: Flag, text: string): Problem | undefined {
  const bad = (value: string, problem: string, allowed: string): Problem => ({
    name: `--${name}`,
    value,
    problem,
    allowed,
  })
  if (flag.type === 'integer') {
    if (!/^\d{1,9}$/.test(text)) return bad(text, 'is not a whole number', '0 or more')
    flags[name] = Number(text)
    return undefined
  }
  if (flag.pattern?.regex.test(text) === false) return bad(text, 'has another form than allowed', flag.pattern.allowed)
  const values =
    flag.type === 'list'
      ? text
          .split(flag.separator === 'line' ? /[\r\n]/ : ',')
          .map((part) => part.trim())
          .filter((part) => part !== '')
      : [text]
  // An empty list would mean that nothing counts: nobody who types a comma says that.
  if (values.length === 0) return bad(text, 'names nothing', (flag.of ?? ['one or more']).join(', '))
  const wrong = values.find((value) => flag.of?.includes(value) === false)
  if (wrong !== undefined) {
    const near = nearestName(wrong, flag.of ?? [])
    return bad(wrong, `is not known${near === undefined ? '' : `; did you mean ${near}?`}`, (flag.of ?? []).join(', '))
  }
  if (flag.type === 'list') flags[name] = [...((flags[name] as readonly string[] | undefined) ?? []), ...values]
  else flags[name] = text
  return undefined
}

function unexpectedWord(command: Command, argument: string): Problem {
  const allowed = command.words?.of ?? []
  const near = nearestName(argument, allowed)
  return {
    name: command.words?.name ?? 'argument',
    value: argument,
    problem: `is not expected${near === undefined ? '' : `; did you mean ${near}?`}`,
    ...(allowed.length === 0 ? {} : { allowed: allowed.join(', ') }),
  }
}

function flagOf(command: Command, name: string): Flag | undefined {
  return Object.hasOwn(command.flags, name) ? command.flags[name] : undefined
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf('=')
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

/** What a flag does, and how a list is written. */
export function describe(flag: Flag): string {
  if (flag.type !== 'list') return flag.description
  return `${flag.description} ${flag.separator === 'line' ? 'Repeat it for several.' : 'Several by commas, or repeated.'}`
}

/** Help of one command, from the same table that parses it. */
export function renderHelp(command: Command): string {
  const rows = Object.entries(command.flags).map(([name, flag]) => {
    const value =
      flag.type === 'boolean'
        ? flag.default === true
          ? '[=false]'
          : ''
        : ` ${flag.of !== undefined && flag.type !== 'list' ? flag.of.join('|') : (flag.value ?? '...')}`
    return [`  --${name}${value}`, describe(flag)] as const
  })
  const width = Math.min(44, Math.max(...rows.map(([left]) => left.length)) + 2)
  const words = command.words === undefined ? '' : ` ${command.words.of.join('|')}`
  return [
    `k8s-platform ${command.name}${words} [flags]: ${command.summary}`,
    '',
    ...rows.map(([left, right]) =>
      left.length < width ? `${left.padEnd(width)}${right}` : `${left}\n${' '.repeat(width)}${right}`,
    ),
  ].join('\n')
}
