import type { AnyAction, InputDefinition } from '../src/action/define-action.ts'
import { allowedValues } from '../src/action/input-kinds.ts'
import { rootAction } from './render-action-yml.ts'

export const apiStart = '<!-- api-start -->'
export const apiEnd = '<!-- api-end -->'

/** Where an action is explained, relative to the root of the repository. */
export function actionReadmePath(action: AnyAction): string {
  return action.name === rootAction ? 'docs/action.md' : `${action.name}/README.md`
}

/**
 * Puts the generated part between its markers and keeps what people wrote around it; a page that does not exist begins with title and description.
 * @throws Error when only one marker is there: writing would destroy text.
 */
export function renderActionReadme(action: AnyAction, present: string | undefined): string {
  const api = `${apiStart}\n\n${renderApi(action)}\n${apiEnd}\n`
  if (present === undefined) return `# ${action.title}\n\n${action.description}.\n\n${api}`
  const start = present.indexOf(apiStart)
  const end = present.indexOf(apiEnd)
  if (start === -1 && end === -1) return `${present.trimEnd()}\n\n${api}`
  if (start === -1 || end < start) throw new Error(`${actionReadmePath(action)}: its api markers do not match`)
  return `${present.slice(0, start)}${api}${present.slice(end + apiEnd.length).replace(/^\n/, '')}`
}

/** Requirements, permissions, usage, inputs and outputs. */
function renderApi(action: AnyAction): string {
  const permissions = Object.entries(action.permissions)
  const inputs = Object.entries(action.inputs).filter(([, input]) => input.internal !== true)
  const outputs = Object.entries(action.outputs)
  return [
    '## Requirements',
    '',
    ...action.requirements.map((requirement) => `- ${requirement}`),
    ...(permissions.length === 0
      ? ['- Permissions: none; `permissions: {}` is enough.']
      : permissions.map(([name, { access, reason }]) => `- Permission \`${name}: ${access}\`: ${reason}`)),
    '',
    ...(action.sections ?? []).flatMap(({ title, text }) => [`## ${title}`, '', text, '']),
    '## Usage',
    '',
    '```yaml',
    action.usage,
    '```',
    '',
    '## Inputs',
    '',
    '| input | what it does | allowed | example |',
    '|---|---|---|---|',
    ...inputs.map(([name, input]) => row([code(name), describe(input), allowedValues(input), code(input.example)])),
    '',
    '## Outputs',
    '',
    '| output | what it is |',
    '|---|---|',
    ...outputs.map(([name, description]) => row([code(name), description])),
    '',
  ].join('\n')
}

function describe(input: InputDefinition): string {
  const parts = [input.description]
  if (input.required === true) parts.push('**Required.**')
  if (input.default !== undefined) parts.push(`Default: \`${input.default}\`.`)
  if (input.spec !== undefined) parts.push(`In the spec: \`${input.spec}\`.`)
  return parts.join(' ')
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
}

function code(text: string): string {
  return `\`${text}\``
}
