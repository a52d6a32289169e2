import { readdir, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { clusterLabel, kindClusterLabel, listContainers, removeContainers, removeUnusedNetwork } from './docker.ts'
import { restoreLimits } from './inotify.ts'
import { type ClusterState, listStates, readState, removeState, saveState } from './state.ts'

export interface TeardownOptions {
  /** Keep the folder with the logs; what else is in it goes. Default false. */
  readonly keepLogs?: boolean
}

/**
 * Removes everything a cluster of that name consists of: node containers, registry, network and seal where nobody else uses them, kubeconfig, files, state. Works
 * from the state where there is one and from Docker's labels alone where there is none; every step is tried, also when another failed. Resolves with the names of
 * what was removed, empty when nothing was there; rejects with the first failure once all steps were tried, the state then stays for the next try.
 */
export async function teardownCluster(host: Host, name: string, options: TeardownOptions = {}): Promise<string[]> {
  const state = await readState(host, name)
  const removed: string[] = []
  const failures: unknown[] = []
  const step = async (what: string, undo: () => Promise<void>): Promise<void> => {
    try {
      await undo()
    } catch (error) {
      host.log.warning(`${what} of cluster ${name} could not be removed: ${messageOf(error)}`)
      failures.push(error)
    }
  }
  if (state !== undefined)
    await step('the state', async () => void (await saveState(host, { ...state, phase: 'deleting' })))
  await step('the containers', async () => {
    const [nodes, others] = await Promise.all([
      listContainers(host, `${kindClusterLabel}=${name}`),
      listContainers(host, `${clusterLabel}=${name}`),
    ])
    const containers = [...nodes, ...others]
    await removeContainers(host, containers)
    removed.push(...containers.map((container) => `container ${container.name}`))
  })
  if (state !== undefined) {
    await step('the network', async () => void removed.push(...(await leaveNetwork(host, state))))
    await step('the raised limits', async () => void removed.push(...(await leaveLimits(host, state))))
    await step('the files', async () => {
      await rm(state.kubeconfig, { force: true })
      await rm(`${state.kubeconfig}.lock`, { force: true })
      if (options.keepLogs === true) {
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
      removed.push(`folder ${state.folder}`)
    })
  }
  if (failures.length > 0) throw failures[0]
  if (state !== undefined) {
    await removeState(host, name)
    removed.push(`state ${name}`)
  }
  return removed
}

/**
 * The last cluster on a network removes it, if the first one made it. While others are on it, the duty passes to one of them.
 */
async function leaveNetwork(host: Host, state: ClusterState): Promise<string[]> {
  const { network } = state
  // Killed after the network was made and before it was recorded, a run leaves a state without it; there is but one sealed network, so its name is known.
  if (network?.sealed ?? state.imageSource === 'packages') {
    const { removeNetworkIfUnused } = await import('../engine/network.ts')
    return (await removeNetworkIfUnused(host)) ? [`network ${network?.name ?? 'k8s-platform'} and its seal`] : []
  }
  if (network?.created !== true) return []
  if (await removeUnusedNetwork(host, network.name)) return [`network ${network.name}`]
  const heir = (await listStates(host)).find(
    (other) => other.name !== state.name && other.network?.name === network.name,
  )
  if (heir?.network !== undefined) await saveState(host, { ...heir, network: { ...heir.network, created: true } })
  return []
}

/** The last cluster on the host restores the kernel's limits; before, the duty passes to one that stays. */
async function leaveLimits(host: Host, state: ClusterState): Promise<string[]> {
  if (state.raisedLimits === undefined) return []
  const heir = (await listStates(host)).find((other) => other.name !== state.name)
  if (heir === undefined) return await restoreLimits(state.raisedLimits)
  await saveState(host, { ...heir, raisedLimits: { ...state.raisedLimits, ...heir.raisedLimits } })
  return []
}
