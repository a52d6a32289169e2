import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { whileRegistryLives } from '../../../src/cluster/registry-watch.ts'
import type { Host } from '../../../src/process/host.ts'
import { pause } from '../../../src/process/wait.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'

const container = 'demo-registry'

let server: Server
let sockets: Socket[]
let port: number

beforeEach(async () => {
  sockets = []
  server = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  port = typeof address === 'object' && address !== null ? address.port : 0
})
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
})

/** A machine whose Docker has what `containers` says at that moment. */
function hostWith(containers: () => string): Host {
  return testHost({ exec: scriptedExec([[/^docker ps /, () => containers()]]) })
}

const line = (state: string): string => `1\t${container}\t${state}\t\n`

/** As the creation waits: for what never comes, until it is told to end. */
async function never(host: Host): Promise<never> {
  await new Promise<void>((resolve) => host.signal.addEventListener('abort', () => resolve(), { once: true }))
  throw new Error('ended from outside')
}

describe('the registry of a cluster that is being made', () => {
  it.each([
    ['removed', () => '', /container demo-registry, is gone$/],
    ['killed', () => line('exited'), /container demo-registry, is exited$/],
  ])('%s, ends the creation at once, by name', async (_what, containers, message) => {
    const making = whileRegistryLives(hostWith(containers), 'demo', async (host, watch) => {
      watch({ container, port })
      await once(server, 'connection')
      sockets[0]?.destroy()
      return never(host)
    })
    await expect(making).rejects.toMatchObject({ code: 'REGISTRY_LOST', message: expect.stringMatching(message) })
  })

  it('that cannot be reached any more is seen, too', async () => {
    server.close()
    const making = whileRegistryLives(
      hostWith(() => ''),
      'demo',
      async (host, watch) => {
        watch({ container, port })
        return never(host)
      },
    )
    await expect(making).rejects.toMatchObject({ code: 'REGISTRY_LOST' })
  })

  it('that Docker starts again is not lost', async () => {
    const making = whileRegistryLives(
      hostWith(() => line('running')),
      'demo',
      async (host, watch) => {
        watch({ container, port })
        await once(server, 'connection')
        sockets[0]?.destroy()
        // It comes back for the next connection.
        await once(server, 'connection')
        await pause(1, host.signal)
        return 'made'
      },
    )
    expect(await making).toBe('made')
  })

  it('hides nothing that fails by itself, and is let go at the end', async () => {
    const making = whileRegistryLives(
      hostWith(() => ''),
      'demo',
      async (_host, watch) => {
        watch({ container, port })
        await once(server, 'connection')
        throw new Error('something else')
      },
    )
    await expect(making).rejects.toThrow('something else')
    await Promise.all(sockets.map((socket) => (socket.closed ? undefined : once(socket.resume(), 'close'))))
  })
})
