import { UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { withLock } from './lock.ts'
import { type Machine, thisMachine } from './machine.ts'
import { sealedBridge, unseal } from './seal.ts'

/** Docker network of clusters whose images come from packages. IPv4 only, and sealed (src/engine/seal.ts). */
export const sealedNetwork = 'k8s-platform'

const label = 'k8s-platform.network=sealed'

interface NetworkInspection {
  readonly EnableIPv6: boolean
  readonly Options: Readonly<Record<string, string>> | null
  readonly IPAM: { readonly Config: readonly { readonly Subnet?: string; readonly Gateway?: string }[] | null }
}

export interface SealedNetwork {
  readonly name: string
  readonly bridge: string
  /** Such as `172.18.0.0/16`; Docker chooses it among its address pools. */
  readonly subnet: string
}

/**
 * Makes the network, or checks that the one of that name is what is needed. Two callers at once get the same one.
 *
 * @throws UnsupportedError NETWORK_CONFLICT when a network of the name exists with another bridge or with IPv6
 */
export async function ensureNetwork(host: Host, machine: Machine = thisMachine): Promise<SealedNetwork> {
  return await withLock(host, machine, 'network', async () => {
    const found = await inspect(host)
    if (found !== undefined) return check(found)
    const made = await host.exec.run('docker', createArgs(), { quiet: true }).catch((error: unknown) => error)
    const created = await inspect(host)
    // Somebody with another state folder may have been faster; only a network that is not there is a failure.
    if (created !== undefined) return check(created)
    throw made instanceof Error ? made : conflict('it is gone right after it was made')
  })
}

/**
 * The network of its own keeps clear of the `kind` network, which others use and which has IPv6 by default. Nothing leaves it, so the uplink's MTU does
 * not matter.
 */
export function createArgs(): string[] {
  const bridge = `com.docker.network.bridge.name=${sealedBridge}`
  return ['network', 'create', '--driver', 'bridge', '--opt', bridge, '--label', label, sealedNetwork]
}

/** Removes the network and its seal when no container, running or stopped, is attached. True when there is none any more. */
export async function removeNetworkIfUnused(host: Host, machine: Machine = thisMachine): Promise<boolean> {
  return await withLock(host, machine, 'network', async () => {
    if ((await inspect(host)) !== undefined) {
      const args = ['ps', '--all', '--quiet', '--filter', `network=${sealedNetwork}`]
      const { stdout } = await host.exec.run('docker', args, { quiet: true })
      if (stdout.trim() !== '') return false
      await host.exec.run('docker', ['network', 'rm', sealedNetwork], { quiet: true })
    }
    await unseal(host)
    return true
  })
}

async function inspect(host: Host): Promise<NetworkInspection | undefined> {
  const args = ['network', 'ls', '--quiet', '--no-trunc', '--filter', `name=^${sealedNetwork}$`]
  const { stdout } = await host.exec.run('docker', args, { quiet: true })
  const ids = stdout.split('\n').filter((line) => line !== '')
  if (ids.length === 0) return undefined
  // Docker allows several networks of one name, and then refuses to attach by name.
  if (ids.length > 1) throw conflict(`there are ${ids.length} of that name`)
  const found = await host.exec.run('docker', ['network', 'inspect', ...ids], { quiet: true })
  return (JSON.parse(found.stdout) as NetworkInspection[])[0]
}

function check(network: NetworkInspection): SealedNetwork {
  const bridge = network.Options?.['com.docker.network.bridge.name']
  if (bridge !== sealedBridge) throw conflict(`its bridge is ${bridge ?? 'unnamed'}, not ${sealedBridge}`)
  if (network.EnableIPv6) throw conflict('it has IPv6')
  const subnet = network.IPAM.Config?.[0]?.Subnet ?? ''
  return { name: sealedNetwork, bridge, subnet }
}

function conflict(why: string): UnsupportedError {
  return new UnsupportedError(`the Docker network ${sealedNetwork} cannot be used: ${why}`, {
    code: 'NETWORK_CONFLICT',
    hint: `Nothing else should use that name. Remove it: docker network rm ${sealedNetwork}`,
  })
}
