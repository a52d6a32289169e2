import { CommandError } from '../process/errors.ts'
import type { Exec } from '../process/exec.ts'

/** kind's own label on the containers of a cluster. */
export const kindClusterLabel = 'io.x-k8s.kind.cluster'
/** Ours, on everything else that belongs to one cluster. */
export const clusterLabel = 'k8s-platform.cluster'

export interface Container {
  readonly id: string
  readonly name: string
  /** `running`, `exited`, `created`, `paused`, `dead`. */
  readonly state: string
  /** kind's role label: `control-plane`, `worker`, `external-load-balancer`; empty on other containers. */
  readonly role: string
}

type Docker = { readonly exec: Exec }
const quickMs = 60_000

/** Containers with that label, stopped ones too, by name. */
export async function listContainers(host: Docker, label: string): Promise<Container[]> {
  const { stdout } = await host.exec.run(
    'docker',
    [
      'ps',
      '--all',
      '--no-trunc',
      '--filter',
      `label=${label}`,
      '--format',
      '{{.ID}}\t{{.Names}}\t{{.State}}\t{{.Label "io.x-k8s.kind.role"}}',
    ],
    { quiet: true, timeoutMs: quickMs },
  )
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id = '', name = '', state = '', role = ''] = line.split('\t')
      return { id, name, state, role }
    })
    .sort((a, b) => a.name.localeCompare(b.name))
}

/** Removes them with their anonymous volumes; one that is gone already, or going, is success. */
export async function removeContainers(host: Docker, containers: readonly Container[]): Promise<void> {
  if (containers.length === 0) return
  try {
    await host.exec.run('docker', ['rm', '--force', '--volumes', ...containers.map((container) => container.id)], {
      quiet: true,
      timeoutMs: 120_000,
    })
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    const real = error.stderr
      .split('\n')
      .filter(
        (line) => line.trim() !== '' && !/no such container|removal of container .* is already in progress/i.test(line),
      )
    if (real.length > 0) throw error
  }
}

export async function networkExists(host: Docker, name: string): Promise<boolean> {
  const { stdout } = await host.exec.run(
    'docker',
    ['network', 'ls', '--format', '{{.Name}}', '--filter', `name=^${name}$`],
    {
      quiet: true,
      timeoutMs: quickMs,
    },
  )
  return stdout.split('\n').includes(name)
}

/** Removes a network that no container, running or stopped, is attached to; false when it is in use or was not there. */
export async function removeUnusedNetwork(host: Docker, name: string): Promise<boolean> {
  // Docker itself refuses only for running ones: the nodes of a cluster that was stopped would never start again.
  const attached = ['ps', '--all', '--quiet', '--filter', `network=${name}`]
  const { stdout } = await host.exec.run('docker', attached, { quiet: true, timeoutMs: quickMs })
  if (stdout.trim() !== '') return false
  try {
    await host.exec.run('docker', ['network', 'rm', name], { quiet: true, timeoutMs: quickMs })
    return true
  } catch (error) {
    if (error instanceof CommandError && /has active endpoints|no such network|not found/i.test(error.stderr))
      return false
    throw error
  }
}

/** Attaches a container to one more network; being attached already is success. */
export async function connectNetwork(host: Docker, network: string, container: string): Promise<void> {
  try {
    await host.exec.run('docker', ['network', 'connect', network, container], { quiet: true, timeoutMs: quickMs })
  } catch (error) {
    if (!(error instanceof CommandError && /already exists in network/i.test(error.stderr))) throw error
  }
}

/** Addresses of containers in a network by container name; one that is stopped has an empty address. */
export async function containerAddresses(
  host: Docker,
  containers: readonly string[],
  network: string,
): Promise<ReadonlyMap<string, string>> {
  if (containers.length === 0) return new Map()
  const address = `{{with index .NetworkSettings.Networks ${JSON.stringify(network)}}}{{.IPAddress}}{{end}}`
  const { stdout } = await host.exec.run('docker', ['inspect', '--format', `{{.Name}}\t${address}`, ...containers], {
    quiet: true,
    timeoutMs: quickMs,
  })
  const lines = stdout.split('\n').filter((line) => line !== '')
  return new Map(
    lines.map((line) => {
      const [name = '', found = ''] = line.split('\t')
      return [name.replace(/^\//, ''), found]
    }),
  )
}

/** The IPv4 subnet of a network, `172.18.0.0/16`; undefined when it has none. */
export async function networkSubnet(host: Docker, name: string): Promise<string | undefined> {
  const { stdout } = await host.exec.run(
    'docker',
    ['network', 'inspect', '--format', '{{range .IPAM.Config}}{{.Subnet}}\n{{end}}', name],
    { quiet: true, timeoutMs: quickMs },
  )
  return stdout
    .split('\n')
    .find((line) => /^\d+\.\d+\.\d+\.\d+\/\d+$/.test(line.trim()))
    ?.trim()
}
