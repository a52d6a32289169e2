import type { Host } from './host.ts'

/** What no program starts without is no secret. */
const needed = new Set(['PATH', 'HOME'])

/** The same host, whose programs are not given these variables. */
export function hostWithout(host: Host, variables: readonly string[]): Host {
  const dropped = new Set(variables.filter((name) => !needed.has(name)))
  if (dropped.size === 0) return host
  const env = Object.fromEntries(Object.entries(host.env).filter(([name]) => !dropped.has(name)))
  return { ...host, env, exec: { run: (command, args, options) => host.exec.run(command, args, { env, ...options }) } }
}
