import type { Problem } from '../process/errors.ts'

/** kind appends `-control-plane` and a number to make host names, which Linux limits to 64 characters; container names and DNS labels set the alphabet. */
const longest = 50

/** What is wrong with a cluster's name, if anything. It becomes container names, a context, file names and part of DNS names. */
export function clusterNameProblem(name: string): Problem | undefined {
  if (name.length <= longest && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name)) return undefined
  return {
    name: 'cluster-name',
    value: name,
    problem: name.length > longest ? `is ${name.length} characters long` : 'is not a DNS label',
    allowed: `lower-case letters, digits and inner hyphens, at most ${longest}`,
    example: 'demo',
  }
}

/** kind's name for the context, the cluster and the user of a cluster. */
export function contextOf(cluster: string): string {
  return `kind-${cluster}`
}
