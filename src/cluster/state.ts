import { link, mkdir, open, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { InputError, ToolkitError } from '../process/errors.ts'
import { removeStaleLocks } from '../process/file-lock.ts'
import type { Host } from '../process/host.ts'
import type { ClusterOwner, ProcessIdentity } from './owner.ts'
import type { ImageSource } from './provider.ts'

/** What a later run must know to use, explain or remove a cluster. Written before the first thing is created, so half a cluster has one too. */
export interface ClusterState {
  readonly schema: 1
  readonly name: string
  readonly provider: string
  readonly phase: 'creating' | 'ready' | 'failed' | 'deleting'
  readonly owner: ClusterOwner
  /** The process that is making it, or was the last to: of a job the step, while the owner is the job's worker. */
  readonly maker?: ProcessIdentity
  readonly imageSource: ImageSource
  readonly kubernetesVersion?: string
  readonly nodeImage?: string
  /** Programs that this cluster was made with, by name. */
  readonly tools: Readonly<Record<string, { readonly version: string; readonly path: string }>>
  readonly kubeconfig: string
  readonly context: string
  /** The cluster's own folder of files: kubeconfig, mirrors, logs. */
  readonly folder: string
  readonly logsPath: string
  readonly hostPorts: Readonly<Record<string, string>>
  /** Addresses this cluster may give to LoadBalancer services; clusters on one network have different ones. */
  readonly loadBalancerRange?: string
  /** Fingerprint of what was asked for: a second run with the same one may use the cluster as it is. */
  readonly requestKey: string
  /** Container name and host port of the local registry. */
  readonly registry?: { readonly container: string; readonly port: number }
  /** Names of its containers, before the first of them is created. */
  readonly containers?: readonly string[]
  /** Docker network of the nodes; `created` when it was not there before our first cluster on it, so that the last one removes it. */
  readonly network?: { readonly name: string; readonly created: boolean; readonly sealed: boolean }
  /** inotify limits of the host that were raised for the clusters on it, with what they were; the last cluster restores them. */
  readonly raisedLimits?: Readonly<Record<string, number>>
  /** ISO 8601, UTC. */
  readonly createdAt: string
  readonly updatedAt: string
}

/** Saves by rename: a reader sees the old state or the new one, never half. */
export async function saveState(host: Host, state: ClusterState): Promise<ClusterState> {
  const saved = { ...state, updatedAt: host.clock.now().toISOString() }
  const temporary = await writeBeside(host, saved)
  await rename(temporary, statePath(host, state.name))
  return saved
}

/** Like {@link saveState}, but only the first of several runs that want the same name succeeds; false for the others. */
export async function claimState(host: Host, state: ClusterState): Promise<boolean> {
  const temporary = await writeBeside(host, state)
  try {
    await link(temporary, statePath(host, state.name))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
}

/** undefined when there is none. A file that is not ours or damaged is a ToolkitError naming it: deleting by guess is worse than asking. */
export async function readState(host: Pick<Host, 'paths'>, name: string): Promise<ClusterState | undefined> {
  const path = statePath(host, name)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const state = parseState(text)
  if (state !== undefined && state.name === name) return state
  throw new ToolkitError(`${path} is not a state file of this version`, {
    code: 'STATE_UNREADABLE',
    hint: 'Remove what it describes with the version that wrote it, or delete the file and remove the containers by hand (`docker ps -a`).',
  })
}

/** Every readable state, by name. Damaged files are left out and named in a warning. */
export async function listStates(host: Pick<Host, 'paths' | 'log'>): Promise<ClusterState[]> {
  const names = await readdir(host.paths.state).catch(() => [] as string[])
  const states: ClusterState[] = []
  for (const file of names.filter((name) => name.endsWith('.json')).sort()) {
    const text = await readFile(join(host.paths.state, file), 'utf8').catch(() => undefined)
    // Gone between the two calls: its cluster was just taken down.
    if (text === undefined) continue
    const state = parseState(text)
    if (state !== undefined && file === `${state.name}.json`) states.push(state)
    else host.log.warning(`${join(host.paths.state, file)} is not a cluster's state of this version; it is left alone`)
  }
  return states
}

/** Also removes what a run killed in the middle of a save left beside it, and the folder when it is empty. */
export async function removeState(host: Pick<Host, 'paths'>, name: string): Promise<void> {
  const file = basename(statePath(host, name))
  const names = await readdir(host.paths.state).catch(() => [] as string[])
  for (const entry of names) {
    if (entry === file || (entry.startsWith(`${file}.`) && entry.endsWith('.tmp'))) {
      await rm(join(host.paths.state, entry), { force: true })
    }
  }
  await removeStaleLocks(host.paths.state)
  // Where it is not empty, other clusters are there.
  await rmdir(host.paths.state).catch(() => {})
}

export function statePath(host: Pick<Host, 'paths'>, name: string): string {
  // The name becomes a path here, so this is the last place to refuse one that leaves the folder.
  if (name === '' || name.includes('/') || name.startsWith('.')) {
    throw new InputError([{ name: 'cluster-name', value: name, problem: 'cannot be a file name', example: 'demo' }])
  }
  return join(host.paths.state, `${name}.json`)
}

function parseState(text: string): ClusterState | undefined {
  try {
    const value = JSON.parse(text) as Partial<ClusterState> | null
    const whole =
      value?.schema === 1 &&
      typeof value.name === 'string' &&
      typeof value.folder === 'string' &&
      typeof value.kubeconfig === 'string' &&
      typeof value.owner?.pid === 'number' &&
      typeof value.owner.bootId === 'string'
    return whole ? (value as ClusterState) : undefined
  } catch {
    return undefined
  }
}

async function writeBeside(host: Host, state: ClusterState): Promise<string> {
  await mkdir(host.paths.state, { recursive: true, mode: 0o700 })
  const path = `${statePath(host, state.name)}.${process.pid}.${Math.round(host.clock.monotonic() * 1e6)}.tmp`
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(state, null, 2)}\n`)
  } catch (error) {
    // On a full disk there is half of it.
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
  return path
}
