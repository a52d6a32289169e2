import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { configPorts } from '../../../src/cluster/config-ports.ts'
import { isPortFree } from '../../../src/cluster/host-ports.ts'
import { portHolder } from '../../../src/cluster/port-holder.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'

const servers: ReturnType<typeof createServer>[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

async function listen(address: string): Promise<number> {
  const server = createServer()
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has a port')
  return bound.port
}

const noDocker = testHost({ exec: scriptedExec([[/^docker ps/, { exitCode: 1, stderr: 'no engine' }]]) })

describe('who holds a port', () => {
  it.each(['127.0.0.1', '0.0.0.0', '::'])('is found by its socket on %s', async (address) => {
    const port = await listen(address)
    expect(await portHolder(noDocker, port)).toMatch(new RegExp(`^node \\(process ${process.pid}\\)$`))
  })

  it('is the container rather than the engine’s proxy', async () => {
    const exec = scriptedExec([[/^docker ps --filter publish=8080\/tcp/, 'shop\n']])
    expect(await portHolder(testHost({ exec }), 8080)).toBe('container shop')
  })

  it('is nobody that can be seen for a free port', async () => {
    const port = await listen('127.0.0.1')
    await new Promise((resolve) => servers.pop()?.close(resolve))
    expect(await portHolder(noDocker, port)).toBeUndefined()
    expect(await isPortFree(port)).toBe(true)
  })
})

describe('ports of a kind config', () => {
  async function portsOf(text: string): Promise<unknown> {
    const folder = testHost().paths.temp
    await mkdir(folder, { recursive: true })
    const file = join(folder, 'kind.yaml')
    await writeFile(file, text)
    return await configPorts(file)
  }

  it('are those asked for by number over TCP, where they stand and on which address', async () => {
    const found = await portsOf(`
kind: Cluster
networking: { apiServerPort: 6443 }
nodes:
- role: control-plane
  extraPortMappings:
  - { containerPort: 80, hostPort: 8080, listenAddress: 127.0.0.1 }
  - { containerPort: 81, hostPort: 8081 }
  - { containerPort: 53, hostPort: 5353, protocol: UDP }
  - { containerPort: 82, hostPort: 0 }
  - { containerPort: 83 }
`)
    expect(found).toEqual([
      expect.objectContaining({
        name: 'config.nodes[0].extraPortMappings[0].hostPort',
        port: 8080,
        address: '127.0.0.1',
      }),
      expect.objectContaining({
        name: 'config.nodes[0].extraPortMappings[1].hostPort',
        port: 8081,
        address: '0.0.0.0',
      }),
      expect.objectContaining({ name: 'config.networking.apiServerPort', port: 6443, address: '127.0.0.1' }),
    ])
  })

  it.each(['', 'nodes: 3', 'nodes: [1, {extraPortMappings: x}]', '{{', 'networking: []'])(
    'are none in %j',
    async (text) => {
      expect(await portsOf(text)).toEqual([])
    },
  )

  it('are none without a config, and in one that is not there', async () => {
    expect(await configPorts(undefined)).toEqual([])
    expect(await configPorts('/nowhere/kind.yaml')).toEqual([])
  })
})
