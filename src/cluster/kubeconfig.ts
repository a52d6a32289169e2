import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parse, stringify } from 'yaml'
import { InputError } from '../process/errors.ts'

interface Named {
  readonly name: string
  readonly [key: string]: unknown
}

interface Kubeconfig {
  readonly clusters?: readonly Named[] | null
  readonly users?: readonly Named[] | null
  readonly contexts?:
    | readonly (Named & { readonly context?: { readonly cluster?: string; readonly user?: string } })[]
    | null
  readonly 'current-context'?: string
  readonly [key: string]: unknown
}

const sections = ['clusters', 'users', 'contexts'] as const

/** kind's name for the context, the cluster and the user of a cluster. */
export function contextOf(cluster: string): string {
  return `kind-${cluster}`
}

/** Adds one kubeconfig's entries to another and makes its context the current one; entries of the same name are replaced. */
export function mergeKubeconfig(existing: string, added: string): string {
  const base = (parse(existing) ?? {}) as Kubeconfig
  const extra = (parse(added) ?? {}) as Kubeconfig
  const merged: Record<string, unknown> = { apiVersion: 'v1', kind: 'Config', ...base }
  for (const section of sections) {
    const names = new Set((extra[section] ?? []).map((entry) => entry.name))
    merged[section] = [...(base[section] ?? []).filter((entry) => !names.has(entry.name)), ...(extra[section] ?? [])]
  }
  if (extra['current-context'] !== undefined) merged['current-context'] = extra['current-context']
  return stringify(merged)
}

/** Takes a context out, with its cluster and user where no other context uses them. The text itself when it is not there. */
export function withoutContext(existing: string, context: string): string {
  const base = (parse(existing) ?? {}) as Kubeconfig
  const gone = base.contexts?.find((entry) => entry.name === context)
  if (gone === undefined) return existing
  const contexts = (base.contexts ?? []).filter((entry) => entry.name !== context)
  const used = (key: 'cluster' | 'user'): Set<string | undefined> =>
    new Set(contexts.map((entry) => entry.context?.[key]))
  const keep = (entries: readonly Named[] | null | undefined, key: 'cluster' | 'user'): Named[] =>
    (entries ?? []).filter((entry) => entry.name !== gone.context?.[key] || used(key).has(entry.name))
  return stringify({
    ...base,
    contexts,
    clusters: keep(base.clusters, 'cluster'),
    users: keep(base.users, 'user'),
    ...(base['current-context'] === context ? { 'current-context': '' } : {}),
  })
}

/** Writes the cluster's context into a kubeconfig of the user's, mode 0600, by rename; the file's other entries stay. */
export async function exportKubeconfig(kubeconfig: string, target: string): Promise<void> {
  const existing = await readFile(target, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  await replace(target, mergeParsed(target, existing, await readFile(kubeconfig, 'utf8')))
}

/** Undoes {@link exportKubeconfig}; true when the context was there. */
export async function unexportKubeconfig(target: string, context: string): Promise<boolean> {
  const existing = await readFile(target, 'utf8').catch(() => undefined)
  if (existing === undefined) return false
  const changed = withoutContext(existing, context)
  if (changed === existing) return false
  await replace(target, changed)
  return true
}

function mergeParsed(target: string, existing: string, added: string): string {
  try {
    return mergeKubeconfig(existing, added)
  } catch (error) {
    throw new InputError(
      [{ name: 'export-kubeconfig', value: target, problem: `is not a kubeconfig: ${String(error).split('\n')[0]}` }],
      { cause: error },
    )
  }
}

async function replace(target: string, text: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o700 })
  const temporary = `${target}.${process.pid}.tmp`
  try {
    await writeFile(temporary, text, { mode: 0o600 })
    await chmod(temporary, 0o600)
    await rename(temporary, target)
  } finally {
    await rm(temporary, { force: true })
  }
}
