import { connect } from 'node:net'
import { abortableHost } from '../process/abortable-host.ts'
import { NotReadyError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { pause } from '../process/wait.ts'
import { clusterLabel, listContainers } from './docker.ts'
import type { LocalRegistry } from './registry.ts'

/** Between two looks at a registry that closed the connection and goes on: Docker starts it again where it ended by itself. */
const againMs = 500
const ended = new Set(['exited', 'dead'])

/** To be called as soon as there is a registry. */
export type WatchRegistry = (registry: LocalRegistry) => void

/**
 * Runs the body, and ends it once the cluster's registry is no more: without its images nothing becomes ready, and each wait would go on to its deadline.
 * @throws NotReadyError REGISTRY_LOST then, else what the body throws.
 */
export async function whileRegistryLives<T>(
  host: Host,
  cluster: string,
  body: (host: Host, watch: WatchRegistry) => Promise<T>,
): Promise<T> {
  const [over, lost] = [new AbortController(), new AbortController()]
  const own = abortableHost(host, over.signal)
  let failure: NotReadyError | undefined
  const watches: Promise<void>[] = []
  const watch: WatchRegistry = (registry) => {
    const seen = registryEnded(own, cluster, registry).then((how) => {
      if (how === undefined) return
      failure ??= new NotReadyError(`the local registry, container ${registry.container}, ${how}`, {
        code: 'REGISTRY_LOST',
      })
      lost.abort(failure)
    })
    // Trouble with the engine is for the creation itself to tell.
    watches.push(seen.catch(() => {}))
  }
  try {
    return await body(abortableHost(host, lost.signal), watch)
  } catch (error) {
    throw failure ?? error
  } finally {
    over.abort()
    await Promise.all(watches)
  }
}

/** Resolves with how it ended; with undefined once nobody asks any more. A connection that is held open tells at once, and costs nothing until then. */
async function registryEnded(host: Host, cluster: string, registry: LocalRegistry): Promise<string | undefined> {
  while (!host.signal.aborted) {
    await connectionClosed(registry.port, host.signal)
    if (host.signal.aborted) return undefined
    const containers = await listContainers(host, `${clusterLabel}=${cluster}`)
    const state = containers.find(({ name }) => name === registry.container)?.state
    if (state === undefined) return 'is gone'
    if (ended.has(state)) return `is ${state}`
    await pause(againMs, host.signal)
  }
  return undefined
}

/** Resolves when the other side has closed it, or has not taken it. */
function connectionClosed(port: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, signal })
    // `close` follows.
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.resume()
  })
}
