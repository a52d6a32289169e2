import { readdir, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { messageOf, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { clusterLabel, kindClusterLabel, listContainers, removeContainers, removeUnusedNetwork } from './docker.ts'
import { restoreLimits } from './inotify.ts'
import { changeState, withRecords } from './records.ts'
import { type ClusterState, listStates, readState, removeState, saveState } from './state.ts'
import { endUnfinishedWork } from './unfinished-work.ts'

export interface TeardownOptions {
  /** Keep the folder with the logs; what else is in it goes. Default false. */
  readonly keepLogs?: boolean
  /** The cluster is known to be the caller's own: a damaged state is no reason to keep it, and goes too. What only the state knew, such as raised limits, stays. */
  readonly evenIfDamaged?: boolean
}

/**
 * Removes everything a cluster of that name consists of: node containers, registry, network and seal where nobody else uses them, kubeconfig, files, state. Works
 * from the state where there is one and from Docker's labels alone where there is none; every step is tried, also when another failed. Resolves with the names of
 * what was removed, empty when nothing was there; rejects with the first failure once all steps were tried, the state then stays for the next try.
 */
export async function teardownCluster(host: Host, name: string, options: TeardownOptions = {}): Promise<string[]> {
  const { state, damaged } = await readOrDamaged(host, name, options.evenIfDamaged === true)
  const removed: string[] = []
  const failures: unknown[] = []
  const step = async (what: string, undo: () => Promise<void>): Promise<void> => {
    host.log.debug(`removing ${what} of cluster ${name}`)
    try {
      await undo()
    } catch (error) {
      host.log.warning(`${what} of cluster ${name} could not be removed: ${messageOf(error)}`)
      failures.push(error)
    }
  }
  if (state !== undefined) {
    // It tells others, who then wait. On a disk that is full it cannot be written, and what is removed below is what makes room.
    await changeState(host, name, () => ({ phase: 'deleting' })).catch((error: unknown) =>
      host.log.info(`the state of cluster ${name} was not saved: ${messageOf(error)}`),
    )
  }
  await step('the unfinished work', () => endUnfinishedWork(host, name, state))
  await step('the containers', async () => {
    const [nodes, others] = await Promise.all([
      listContainers(host, `${kindClusterLabel}=${name}`),
      listContainers(host, `${clusterLabel}=${name}`),
    ])
    const containers = [...nodes, ...others]
    await removeContainers(host, containers)
    removed.push(...containers.map((container) => `container ${container.name}`))
  })
  if (state !== undefined || damaged) {
    // From here on another run may leave this one no duty any more: it goes to one whose record stays.
    await withRecords(host, async () => {
      const present = state === undefined ? undefined : await readState(host, name)
      // Another run has taken it down meanwhile; what has that name now is not what we were asked for.
      if (state !== undefined && present?.createdAt !== state.createdAt) return
      if (present === undefined) {
        await step('the network', async () => void removed.push(...(await leaveSealedNetwork(host))))
      } else {
        await step('the network', async () => void removed.push(...(await leaveNetwork(host, present))))
        await step('the raised limits', async () => void removed.push(...(await leaveLimits(host, present))))
        await step(
          'the files',
          async () => void removed.push(await removeFiles(host, present, options.keepLogs === true)),
        )
      }
      if (failures.length > 0) return
      await removeState(host, name)
      removed.push(`state ${name}`)
    })
  }
  if (failures.length > 0) throw failures[0]
  return removed
}

async function removeFiles(host: Host, state: ClusterState, keepLogs: boolean): Promise<string> {
  await rm(state.kubeconfig, { force: true })
  await rm(`${state.kubeconfig}.lock`, { force: true })
  if (keepLogs) {
    const logs = basename(state.logsPath)
    const entries = await readdir(state.folder).catch(() => [] as string[])
    for (const entry of entries) {
      if (entry !== logs) await rm(join(state.folder, entry), { recursive: true, force: true })
    }
  } else {
    await rm(state.folder, { recursive: true, force: true })
    // The folder of all clusters' folders goes with the last one; a folder somebody else gave us stays.
    const parent = dirname(state.folder)
    if (parent.startsWith(`${host.paths.state}${sep}`)) await rmdir(parent).catch(() => {})
  }
  return `folder ${state.folder}`
}

async function readOrDamaged(
  host: Host,
  name: string,
  mayBeDamaged: boolean,
): Promise<{ readonly state: ClusterState | undefined; readonly damaged: boolean }> {
  try {
    return { state: await readState(host, name), damaged: false }
  } catch (error) {
    if (!mayBeDamaged || !(error instanceof ToolkitError && error.code === 'STATE_UNREADABLE')) throw error
    host.log.warning(`${error.message}; what Docker has of cluster ${name} is removed all the same, and the file`)
    return { state: undefined, damaged: true }
  }
}

/**
 * The last cluster on a network removes it, if the first one made it. While others are on it, the duty passes to one of them.
 */
async function leaveNetwork(host: Host, state: ClusterState): Promise<string[]> {
  const { network } = state
  // Killed after the network was made and before it was recorded, a run leaves a state without it; there is but one sealed network, so its name is known.
  if (network?.sealed ?? state.imageSource === 'packages') {
    return await leaveSealedNetwork(host)
  }
  if (network?.created !== true) return []
  if (await removeUnusedNetwork(host, network.name)) return [`network ${network.name}`]
  const heir = (await listStates(host)).find(
    (other) => other.name !== state.name && other.network?.name === network.name,
  )
  if (heir?.network !== undefined) await saveState(host, { ...heir, network: { ...heir.network, created: true } })
  return []
}

async function leaveSealedNetwork(host: Host): Promise<string[]> {
  const { removeNetworkIfUnused, sealedNetwork } = await import('../engine/network.ts')
  return (await removeNetworkIfUnused(host)) ? [`network ${sealedNetwork} and its seal`] : []
}

/**
 * The last cluster on the host restores the kernel's limits; before, the duty passes to one that stays. Where none that we have on record stays, but nodes of somebody else's
 * do, they need the limits more than the host needs the old ones.
 */
async function leaveLimits(host: Host, state: ClusterState): Promise<string[]> {
  if (state.raisedLimits === undefined) return []
  const heir = (await listStates(host)).find((other) => other.name !== state.name)
  if (heir === undefined) {
    const others = await listContainers(host, kindClusterLabel)
    if (others.length === 0) return await restoreLimits(state.raisedLimits)
    host.log.info(`the raised limits stay: ${others.map(({ name }) => name).join(', ')} of another user's run here`)
    return []
  }
  await saveState(host, { ...heir, raisedLimits: { ...state.raisedLimits, ...heir.raisedLimits } })
  return []
}
