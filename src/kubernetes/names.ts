import type { Problem } from '../process/errors.ts'

/** A form that names must have, and how to say it. */
export interface NamePattern {
  readonly regex: RegExp
  readonly allowed: string
}

/** Of a namespace: a DNS label. */
export const namespacePattern: NamePattern = {
  regex: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
  allowed: 'lower-case letters, digits and inner hyphens, at most 63',
}

/** Of a release: as Helm limits it, without dots, since it becomes part of other names. */
export const releasePattern: NamePattern = {
  regex: /^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$/,
  allowed: 'lower-case letters, digits and inner hyphens, at most 53',
}

/** What is wrong with a name that a person gives under `input`; nothing with one left out. */
export function nameProblem(input: string, name: string | undefined, { regex, allowed }: NamePattern): Problem[] {
  if (name === undefined || regex.test(name)) return []
  return [{ name: input, value: name, problem: 'is not a usable name', allowed }]
}
