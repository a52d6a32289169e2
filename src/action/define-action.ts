import type { Problem } from '../process/errors.ts'

/** What every input states, whatever its kind. */
interface InputCommon {
  /** One or two sentences of Markdown. For an input with a place in the spec they end with the default, as action.yml must not carry one. */
  readonly description: string
  /** A value that is valid, for the README and for error messages. */
  readonly example: string
  /** Its place in platform.yaml. Such an input has no default here: the runner would make it look as if a person had given it. */
  readonly spec?: string
  /** Used when the input is empty; as text, the way a workflow would write it. */
  readonly default?: string
  readonly required?: true
  /** For the runtime, not for people: left out of the README. */
  readonly internal?: true
}

/** One of the words listed. */
export interface ChoiceInput extends InputCommon {
  readonly type: 'choice'
  readonly of: readonly string[]
}

/** Any number of the words listed, separated by commas or line breaks. */
export interface ChoicesInput extends InputCommon {
  readonly type: 'choices'
  readonly of: readonly string[]
}

/** A whole number; both ends are allowed. */
export interface IntegerInput extends InputCommon {
  readonly type: 'integer'
  readonly min: number
  readonly max: number
}

/** Free text of one line, or the form that `pattern` describes. */
export interface StringInput extends InputCommon {
  readonly type: 'string'
  readonly pattern?: { readonly regex: RegExp; readonly allowed: string }
}

export interface PlainInput extends InputCommon {
  /**
   * - `boolean`: `true` or `false`, nothing else.
   * - `duration`: Go's form, `90s` or `10m`; the value is in milliseconds.
   * - `path`: of a file or folder, relative to the working directory, which the runner makes the workspace.
   * - `secret`: masked before it is used and never shown in errors.
   * - `version`: `1.36`, `1.36.x` or exact.
   */
  readonly type: 'boolean' | 'duration' | 'path' | 'secret' | 'version'
}

/** Text values, one per line, or separated by commas where that is stated. */
export interface ListInput extends InputCommon {
  readonly type: 'list'
  readonly separator: 'line' | 'comma'
}

export type InputDefinition = ChoiceInput | ChoicesInput | IntegerInput | StringInput | PlainInput | ListInput

export type InputDefinitions = Readonly<Record<string, InputDefinition>>

type ValueOf<D extends InputDefinition> = D extends ChoiceInput
  ? D['of'][number]
  : D extends ChoicesInput
    ? readonly D['of'][number][]
    : D extends IntegerInput
      ? number
      : D extends ListInput
        ? readonly string[]
        : D extends { readonly type: 'boolean' }
          ? boolean
          : D extends { readonly type: 'duration' }
            ? number
            : string

/** Parsed values by input name; `undefined` only where there is neither a default nor `required`. */
export type InputValues<I extends InputDefinitions> = {
  readonly [K in keyof I]: I[K] extends { readonly default: string } | { readonly required: true }
    ? ValueOf<I[K]>
    : ValueOf<I[K]> | undefined
}

/** A rule between inputs; it runs only when each of them is valid by itself. */
export type InputRule<I extends InputDefinitions> = (values: InputValues<I>) => readonly Problem[]

export interface ActionDefinition<
  I extends InputDefinitions = InputDefinitions,
  O extends string = string,
  S extends string = string,
> {
  /** Name of the folder that users write in `uses:`; `platform` is the root action. */
  readonly name: string
  readonly title: string
  /** At most 125 characters, the Marketplace's limit. */
  readonly description: string
  readonly inputs: I
  /** Old and foreign names -> ours: using one is an error that names ours. */
  readonly renamed?: Readonly<Record<string, string>>
  readonly rules?: readonly InputRule<I>[]
  readonly outputs: Readonly<Record<O, string>>
  /** What main hands to post, each with its meaning. Empty where there is no post. */
  readonly state: Readonly<Record<S, string>>
  readonly post: boolean
  /** What the job needs under `permissions:`, each with the reason. */
  readonly permissions: Readonly<Record<string, { readonly access: 'read' | 'write'; readonly reason: string }>>
  /** What the runner must have. */
  readonly requirements: readonly string[]
  /** Further sections of the generated part of its README, Markdown. */
  readonly sections?: readonly { readonly title: string; readonly text: string }[]
  /** A whole step or more, as YAML, for the README; a generated workflow checks it. */
  readonly usage: string
  readonly branding: { readonly icon: string; readonly color: string }
}

/** Any action, for what does not depend on its names: generators, tests, scans. Rules are left out as they take exactly their own values. */
export type AnyAction = Omit<ActionDefinition, 'rules'>

/**
 * The one definition of an action: its types, its parsing, its action.yml and its README all come from here.
 * @throws Error for a definition that contradicts itself, which any test that loads it notices.
 */
export function defineAction<const I extends InputDefinitions, const O extends string, const S extends string = never>(
  definition: Omit<ActionDefinition<I, O, S>, 'rules'> & { readonly rules?: readonly InputRule<NoInfer<I>>[] },
): ActionDefinition<I, O, S> {
  for (const [name, input] of Object.entries(definition.inputs)) {
    const at = `input ${name} of ${definition.name}`
    if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) throw new Error(`${at}: not kebab-case`)
    if (input.spec !== undefined && input.default !== undefined)
      throw new Error(`${at}: a place in the spec and a default exclude each other`)
    if (input.required === true && (input.default !== undefined || input.spec !== undefined))
      throw new Error(`${at}: required and a default exclude each other`)
  }
  for (const [old, current] of Object.entries(definition.renamed ?? {})) {
    if (!Object.hasOwn(definition.inputs, current))
      throw new Error(`${definition.name}: ${old} points to ${current}, which does not exist`)
    if (Object.hasOwn(definition.inputs, old))
      throw new Error(`${definition.name}: ${old} is an input and cannot be renamed`)
  }
  if (!definition.post && Object.keys(definition.state).length > 0)
    throw new Error(`${definition.name}: state without a post step`)
  return definition as ActionDefinition<I, O, S>
}
