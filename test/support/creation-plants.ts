import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import path from 'node:path'
import type { CreationDrill } from './creation-drill.ts'

/** kind prints it once the containers run, before anything of Kubernetes does. */
const nodesUp = '✓ Preparing nodes'

export function onNodes(drill: CreationDrill, act: () => void): void {
  drill.when(nodesUp, act)
}

export function config(drill: CreationDrill, text: object): void {
  const file = path.join(drill.folder, 'kind.yaml')
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4', ...text }))
  drill.request = { ...drill.request, config: file, nodesDefaulted: true }
}

export function mapPort(drill: CreationDrill, port: number): void {
  const mapping = { containerPort: 30_100, hostPort: port, listenAddress: '127.0.0.1' }
  config(drill, { nodes: [{ role: 'control-plane', extraPortMappings: [mapping] }] })
}

export function breakNetwork(drill: CreationDrill, edit: string): void {
  onNodes(drill, () =>
    drill.docker('exec', 'culprit-control-plane', 'sed', '-i', edit, '/kind/manifests/default-cni.yaml'),
  )
}

export async function takePort(drill: CreationDrill, port = 0): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  drill.after(() => closed(server))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** A disk of its own, a few MiB in memory; really full when it is full. */
export function mountedDisk(drill: CreationDrill, name: string, mebibytes: number): string {
  const folder = path.join(drill.folder, name)
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder])
  drill.afterRemoval(() => execFileSync('umount', ['--lazy', folder]))
  return folder
}

export function fullDisk(drill: CreationDrill, name: string): string {
  const folder = mountedDisk(drill, name, 1)
  fill(folder)
  return folder
}

export function fill(folder: string): void {
  try {
    writeFileSync(path.join(folder, 'filler'), Buffer.alloc(64 * 1024 * 1024))
  } catch {
    // Full, as it was meant to be.
  }
}

/** What `refuseNodes` puts before Docker; it becomes the real one for all that it lets through. */
const refusingDocker = `
const { existsSync, readFileSync, writeFileSync } = require('node:fs')
const { real, message, times } = JSON.parse(readFileSync(__dirname + '/refusal.json', 'utf8'))
const counter = __dirname + '/refused'
const args = process.argv.slice(2)
const refused = existsSync(counter) ? Number(readFileSync(counter, 'utf8')) : 0
const ofNode = args[0] === 'run' && args.some((arg) => arg.includes('io.x-k8s.kind.cluster'))
if (ofNode && refused < times) {
  writeFileSync(counter, String(refused + 1))
  const ports = args.map((arg) => /^--publish=127\\.0\\.0\\.1:(\\d+):/.exec(arg)?.[1])
  process.stderr.write(message.replaceAll('PORT', () => ports.find((port) => port !== undefined) ?? '') + '\\n')
  process.exitCode = 125
} else {
  process.execve(real, [real, ...args], process.env)
}
`

/** A `docker` before the real one that refuses the first nodes, in Docker's words; `PORT` is the port asked for. */
export function refuseNodes(drill: Pick<CreationDrill, 'folder' | 'env'>, message: string, times: number): void {
  const folder = path.join(drill.folder, 'bin')
  mkdirSync(folder)
  const real = execFileSync('which', ['docker'], { encoding: 'utf8', env: drill.env }).trim()
  writeFileSync(path.join(folder, 'refusal.json'), JSON.stringify({ real, message, times }))
  // Node would warn of `execve` on stderr, as if Docker had.
  const script = `#!${process.execPath} --no-warnings\n${refusingDocker}`
  writeFileSync(path.join(folder, 'docker'), script, { mode: 0o755 })
  drill.env['PATH'] = `${folder}:${drill.env['PATH']}`
}

/** A socket that stands for the engine's and can be taken away. */
export async function relay(socket: string, target: string): Promise<() => Promise<void>> {
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const engine = connect(target)
    for (const end of [client, engine]) {
      open.add(end)
      end.on('error', () => {})
      end.on('close', () => {
        open.delete(end)
        client.destroy()
        engine.destroy()
      })
    }
    client.pipe(engine)
    engine.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return async () => {
    const done = closed(server)
    for (const end of open) end.destroy()
    await done
  }
}
