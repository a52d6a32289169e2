import { type CommandError, InputError, type Problem, ToolkitError } from '../process/errors.ts'
import { cureOf } from './refusal-cures.ts'

/** Helm's failure in our words: what the values did wrong is the user's fault, a port or field in use has a known cure, the rest is quoted whole. */
export function helmError(
  error: CommandError,
  upgrade: { readonly release: string; readonly chart: string },
): ToolkitError {
  const text = error.stderr.replace(/^Error: (UPGRADE FAILED: |INSTALLATION FAILED: )?/m, '').trim()
  const refused = schemaProblems(text)
  if (refused.length > 0) return new InputError(refused, { code: 'HELM_VALUES', cause: error })
  const known = cureOf(text)
  const message = text === '' ? error.message : inOneLine(text)
  return new ToolkitError(`release ${upgrade.release} could not be deployed: ${message}`, {
    code: 'HELM_FAILED',
    cause: error,
    ...(known === undefined ? {} : { hint: known.hint }),
  })
}

/** Helm lists several errors as bullets under a count. */
function inOneLine(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim().replace(/^\* /, ''))
    .filter((line) => line !== '' && !/\d+ errors? occurred:$/.test(line))
    .join('; ')
}

/** `- at '/vote': additional properties 'replica' not allowed`, as Helm's schema validator prints one per line. */
function schemaProblems(text: string): Problem[] {
  if (!text.includes("values don't meet the specifications of the schema")) return []
  const problems = [...text.matchAll(/^- (?:at '([^']*)': )?(.+)$/gm)].map((match) => ({
    name: `values${(match[1] ?? '').replaceAll('/', '.')}`,
    problem: match[2] ?? '',
  }))
  return problems.length > 0 ? problems : [{ name: 'values', problem: text.replace(/\s*\n\s*/g, '; ') }]
}
