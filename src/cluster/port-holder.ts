import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Exec } from '../process/exec.ts'
import { shorten } from './reasons.ts'

/** State of a listening socket in /proc/net/tcp. */
const listening = '0A'

/**
 * Who listens on a TCP port of this machine, as far as can be seen: the container that publishes it, else `node (process 4711)`, else undefined. Processes of other users
 * show their sockets to root alone.
 */
export async function portHolder(
  host: { readonly exec: Exec },
  port: number,
  proc = '/proc',
): Promise<string | undefined> {
  return (await publishedBy(host, port)) ?? (await listeningProcess(port, proc))
}

/** Docker's own proxy holds the ports of containers; its name would help nobody. */
async function publishedBy(host: { readonly exec: Exec }, port: number): Promise<string | undefined> {
  const args = ['ps', '--filter', `publish=${port}/tcp`, '--format', '{{.Names}}']
  const result = await host.exec
    .run('docker', args, { quiet: true, allowFailure: true, timeoutMs: 10_000 })
    .catch(() => undefined)
  const name = result?.exitCode === 0 ? result.stdout.split('\n')[0]?.trim() : undefined
  return name ? `container ${name}` : undefined
}

async function listeningProcess(port: number, proc: string): Promise<string | undefined> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(join(proc, 'net', name), 'utf8').catch(() => '')),
  )
  const sockets = new Set(tables.flatMap((table) => listeners(table, port)).map((inode) => `socket:[${inode}]`))
  if (sockets.size === 0) return undefined
  const processes = (await readdir(proc)).filter((name) => /^\d+$/.test(name))
  for (const pid of processes) {
    const folder = join(proc, pid, 'fd')
    for (const fd of await readdir(folder).catch(() => [])) {
      const target = await readlink(join(folder, fd)).catch(() => '')
      if (!sockets.has(target)) continue
      return `${(await programOf(join(proc, pid))) ?? 'a process'} (process ${pid})`
    }
  }
  return undefined
}

/** The program's own name: threads rename themselves, and `comm` with them. */
async function programOf(folder: string): Promise<string | undefined> {
  const [program = ''] = (await readFile(join(folder, 'cmdline'), 'utf8').catch(() => '')).split('\0')
  return shorten(basename(program)) || undefined
}

/** Inodes of the sockets that listen on the port. A line: number, local address `0100007F:1F90`, remote one, state, five more, inode. */
function listeners(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  return table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    return fields[3] === listening && fields[1]?.endsWith(`:${wanted}`) === true && fields[9] ? [fields[9]] : []
  })
}
