import { CommandError, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { waitFor } from '../process/wait.ts'
import { clusterLabel, listContainers, removeContainers } from './docker.ts'
import { freeHostPorts } from './host-ports.ts'
import { portHolder } from './port-holder.ts'

export interface RegistryRequest {
  readonly cluster: string
  /** Default is {@link registryContainer}. */
  readonly container?: string
  /** undefined starts it on Docker's default network, for a network that comes later. */
  readonly network: string | undefined
  readonly image: string
  /** Host port of 127.0.0.1; undefined picks a free one. */
  readonly port?: number
  /** Folder of the host that keeps the content beyond the cluster; without one it goes with the container. */
  readonly storage?: string
  /** More arguments of `docker run`, such as those a sealed network asks for. */
  readonly runArgs?: readonly string[]
}

export interface LocalRegistry {
  readonly container: string
  readonly port: number
}

const containerPort = 5000
const startMs = 60_000
const attempts = 3

export function registryContainer(cluster: string): string {
  return `${cluster}-registry`
}

/** As nodes and pods reach it: Docker's DNS knows containers by name within their network. */
export function registryInNetwork(cluster: string): string {
  return `http://${inNetwork(registryContainer(cluster))}`
}

/** Host and port of a registry's container for those in its network. */
export function inNetwork(container: string): string {
  return `${container}:${containerPort}`
}

/** `127.0.0.1:<port>` where the host reaches a registry's container; undefined when it publishes none. */
export async function publishedAddress(host: Host, container: string): Promise<string | undefined> {
  const args = ['port', container, `${containerPort}/tcp`]
  const { stdout } = await host.exec.run('docker', args, { quiet: true, timeoutMs: 60_000 })
  return stdout.split('\n').find((line) => line.startsWith('127.0.0.1:'))
}

export function registryRunArgs(request: RegistryRequest & { readonly port: number }): string[] {
  const container = request.container ?? registryContainer(request.cluster)
  return [
    'run',
    '--detach',
    '--name',
    container,
    '--hostname',
    container,
    '--label',
    `${clusterLabel}=${request.cluster}`,
    ...(request.network === undefined ? [] : ['--network', request.network]),
    '--publish',
    `127.0.0.1:${request.port}:${containerPort}`,
    // The nodes come back after a restart of Docker; the registry they pull from must too.
    '--restart',
    'unless-stopped',
    ...(request.storage === undefined ? [] : ['--volume', `${request.storage}:/var/lib/registry`]),
    ...(request.runArgs ?? []),
    request.image,
  ]
}

/**
 * Starts the cluster's own registry and waits until its API answers on the host port. One left over from a failed start is replaced. Rejects with
 * ToolkitError `REGISTRY_PORT_TAKEN` when the port asked for is taken, NotReadyError when it does not answer.
 */
export async function startRegistry(host: Host, request: RegistryRequest): Promise<LocalRegistry> {
  const container = request.container ?? registryContainer(request.cluster)
  const old = await listContainers(host, `${clusterLabel}=${request.cluster}`)
  await removeContainers(
    host,
    old.filter((entry) => entry.name === container),
  )
  for (let attempt = 1; ; attempt++) {
    const port = request.port ?? (await freeHostPorts(1))[0] ?? 0
    try {
      await host.exec.run('docker', registryRunArgs({ ...request, port }), { quiet: true, timeoutMs: 180_000 })
      await registryAnswers(host, port)
      return { container, port }
    } catch (error) {
      const taken =
        error instanceof CommandError && /port is already allocated|address already in use/i.test(error.stderr)
      if (!taken) throw error
      const left = await listContainers(host, `${clusterLabel}=${request.cluster}`)
      await removeContainers(
        host,
        left.filter((entry) => entry.name === container),
      )
      if (request.port !== undefined || attempt >= attempts) {
        const holder = await portHolder(host, port)
        const by = holder === undefined ? '' : ` by ${holder}`
        throw new ToolkitError(`the local registry cannot listen on 127.0.0.1:${port}: the port is taken${by}`, {
          code: 'REGISTRY_PORT_TAKEN',
          hint: 'Leave `registry-port` out to have a free one chosen, or end what listens there (`ss -ltnp`).',
          cause: error,
        })
      }
      host.log.info(`port ${port} was taken by another process meanwhile; trying another one`)
    }
  }
}

/** Rejects with NotReadyError when the registry does not say within its time that it is one. */
export async function registryAnswers(host: Host, port: number, timeoutMs = startMs): Promise<void> {
  const url = `http://127.0.0.1:${port}/v2/`
  await waitFor(
    host,
    `registry on 127.0.0.1:${port}`,
    async (signal) => {
      const response = await fetch(url, { signal })
      await response.body?.cancel()
      return response
    },
    {
      // Anything may listen on a port; only a registry says this.
      done: (response) =>
        response.status === 200 && response.headers.get('docker-distribution-api-version') === 'registry/2.0',
      explain: (response) => `${url} answered HTTP ${response.status}`,
      timeoutMs,
      intervalMs: 100,
    },
  )
}
