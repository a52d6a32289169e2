import { InputError, type Problem } from '../process/errors.ts'
import { nearestName } from '../process/nearest-name.ts'
import type { GivenAs } from '../spec/settings.ts'
import type { ActionDefinition, AnyAction, InputDefinition, InputDefinitions, InputValues } from './define-action.ts'
import { type ParsedValue, parseInput } from './input-kinds.ts'

export interface ParsedInputs<I extends InputDefinitions> {
  readonly values: InputValues<I>
  /** What was given for inputs that have a place in platform.yaml, by that place and in its form: wins over profile and spec. */
  readonly overrides: Readonly<Record<string, unknown>>
  /** What the inputs behind `overrides` are called, by the same places. */
  readonly givenAs: GivenAs
}

type Environment = Readonly<Record<string, string | undefined>>

/** The variable in which the runner passes an input: upper case, spaces become underscores, hyphens stay. */
export function inputVariable(name: string): string {
  return `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`
}

/**
 * Reads, checks and types all inputs in one go.
 * @throws InputError with every problem found: unknown and renamed inputs, each bad value with what is allowed and an example, and
 * contradictions between inputs. Values of secrets are not shown.
 */
export function parseInputs<I extends InputDefinitions>(
  contract: ActionDefinition<I>,
  env: Environment,
): ParsedInputs<I> {
  const problems: Problem[] = unknownInputs(contract, env)
  const values: Record<string, ParsedValue | undefined> = {}
  const overrides: Record<string, unknown> = {}
  const givenAs: Record<string, { name: string; example: string }> = {}
  for (const [name, definition] of Object.entries(contract.inputs)) {
    const given = (env[inputVariable(name)] ?? '').trim()
    // An expression is the runner's to evaluate; run by hand, it stays what it is and means "not known".
    const fallback = definition.default?.includes('${{') === true ? '' : (definition.default ?? '')
    const text = given === '' ? fallback : given
    if (text === '') {
      const underOldName = problems.some((entry) => entry.problem === renamedTo(name))
      if (definition.required === true && !underOldName)
        problems.push({ name, problem: 'is missing', ...allowedForm(definition) })
      continue
    }
    const result = parseInput(definition, text)
    if ('problem' in result) problems.push({ name, ...result, ...allowedForm(definition, result.allowed) })
    else {
      values[name] = result.value
      if (definition.spec === undefined || given === '') continue
      overrides[definition.spec] = result.specValue
      givenAs[definition.spec] = { name, example: definition.example.split('\n')[0] ?? '' }
    }
  }
  const typed = values as InputValues<I>
  if (problems.length === 0) problems.push(...(contract.rules ?? []).flatMap((rule) => rule(typed)))
  if (problems.length > 0) {
    throw new InputError(problems, { hint: `The inputs of ${contract.name} are listed in its README.` })
  }
  return { values: typed, overrides, givenAs }
}

/** What no log may show, of inputs that may be wrong. */
export function secretInputs(contract: AnyAction, env: Environment): string[] {
  return Object.entries(contract.inputs)
    .filter(([, definition]) => definition.type === 'secret')
    .map(([name]) => (env[inputVariable(name)] ?? '').trim())
    .filter((given) => given !== '')
}

function renamedTo(name: string): string {
  return `was renamed to ${name}`
}

function allowedForm(definition: InputDefinition, allowed?: string): { allowed?: string; example: string } {
  return { ...(allowed === undefined ? {} : { allowed }), example: definition.example.split('\n')[0] ?? '' }
}

/** The runner only warns about inputs that do not exist, and the run then does something else than its author believes. */
function unknownInputs(contract: AnyAction, env: Environment): Problem[] {
  const known = new Map(Object.keys(contract.inputs).map((name) => [inputVariable(name), name]))
  const renamed = new Map(Object.entries(contract.renamed ?? {}).map(([old, name]) => [inputVariable(old), name]))
  return Object.keys(env)
    .filter((variable) => variable.startsWith('INPUT_') && !known.has(variable))
    .sort()
    .map((variable) => {
      const name = variable.slice('INPUT_'.length).toLowerCase()
      const current = renamed.get(variable)
      if (current !== undefined) return { name, problem: renamedTo(current) }
      const near = nearestName(name, [...known.values()])
      const publicNames = Object.keys(contract.inputs).filter((input) => contract.inputs[input]?.internal !== true)
      return {
        name,
        problem: `is not an input of ${contract.name}${near === undefined ? '' : `; did you mean ${near}?`}`,
        allowed: publicNames.join(', '),
      }
    })
}
