import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../process/host.ts'
import type { HostsFile } from './mirrors.ts'

const target = '/etc/containerd/certs.d'

/**
 * Puts the hosts.toml files into every node, beside each other. containerd reads them at each pull, so nothing is restarted; and they lie in the node itself, so
 * they survive a restart of the node and the end of our temporary folder.
 */
export async function writeMirrors(
  host: Host,
  nodes: readonly string[],
  files: readonly HostsFile[],
  folder: string,
): Promise<void> {
  if (files.length === 0) return
  const source = join(folder, 'certs.d')
  await rm(source, { recursive: true, force: true })
  for (const file of files) {
    await mkdir(join(source, file.host), { recursive: true })
    await writeFile(join(source, file.host, 'hosts.toml'), file.content)
  }
  await Promise.all(
    nodes.map((node) =>
      host.exec.run('docker', ['cp', `${source}/.`, `${node}:${target}`], { quiet: true, timeoutMs: 60_000 }),
    ),
  )
}

/** How many of these files a node has with the text in them. */
export async function filesWith(host: Host, node: string, files: readonly HostsFile[], text: string): Promise<number> {
  const paths = files.map((file) => `${target}/${file.host}/hosts.toml`)
  const grep = ['exec', node, 'grep', '--files-with-matches', '--fixed-strings', '--', text, ...paths]
  // Where no file has it, grep fails.
  const options = { quiet: true, allowFailure: true, timeoutMs: 60_000 }
  const { stdout } = await host.exec.run('docker', grep, options)
  return stdout.split('\n').filter((line) => line !== '').length
}
