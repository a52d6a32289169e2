/** Replaces each `${name}` in every string of a parsed document. `unknown` is told of names that have no value. */
export function substitute<T>(
  value: T,
  variables: Readonly<Record<string, string>>,
  unknown: (name: string) => void,
): T {
  if (typeof value === 'string') return fill(value, variables, unknown) as T
  if (Array.isArray(value)) return value.map((item) => substitute(item, variables, unknown)) as T
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => [
      fill(key, variables, unknown),
      substitute(item, variables, unknown),
    ])
    return Object.fromEntries(entries) as T
  }
  return value
}

/** The same for a text. Only names in lower case with dots are variables, so that shell code can be left as it is. */
export function fill(
  text: string,
  variables: Readonly<Record<string, string>>,
  unknown: (name: string) => void,
): string {
  return text.replace(/\$\{([a-z]+(?:\.[a-zA-Z]+)+)\}/g, (whole, name: string) => {
    const value = variables[name]
    if (value === undefined) unknown(name)
    return value ?? whole
  })
}
