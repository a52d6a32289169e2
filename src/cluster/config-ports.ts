import { readFile } from 'node:fs/promises'
import { parseYaml } from '../process/yaml-document.ts'

export interface ConfigPort {
  /** Where it stands: `config.nodes[0].extraPortMappings[1].hostPort`. */
  readonly name: string
  readonly port: number
  readonly address: string
  readonly allowed: string
}

const anyAddress = '0.0.0.0'

/** TCP ports of the host that a kind config asks for by number. What is wrong with the config itself is for `kindConfig` to say, so anything odd is passed over. */
export async function configPorts(path: string | undefined): Promise<ConfigPort[]> {
  if (path === undefined) return []
  const config: unknown = await readFile(path, 'utf8')
    .then((text) => parseYaml(text) as unknown)
    .catch(() => undefined)
  const nodes = listAt(config, 'nodes')
  const allowed = 'a free port'
  const ports = nodes.flatMap((node, place) =>
    listAt(node, 'extraPortMappings').flatMap((mapping, index) => {
      const { hostPort, listenAddress, protocol } = asObject(mapping)
      if (!isFixed(hostPort) || String(protocol ?? 'TCP').toUpperCase() !== 'TCP') return []
      const name = `config.nodes[${place}].extraPortMappings[${index}].hostPort`
      return [{ name, port: hostPort, address: String(listenAddress || anyAddress), allowed }]
    }),
  )
  const { apiServerPort, apiServerAddress } = asObject(asObject(config)['networking'])
  if (!isFixed(apiServerPort)) return ports
  const address = String(apiServerAddress || '127.0.0.1')
  return [...ports, { name: 'config.networking.apiServerPort', port: apiServerPort, address, allowed }]
}

/** 0 and -1 have kind or Docker choose one. */
function isFixed(port: unknown): port is number {
  return typeof port === 'number' && port > 0
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}

function listAt(value: unknown, key: string): readonly unknown[] {
  const list = asObject(value)[key]
  return Array.isArray(list) ? list : []
}
