import { execFile } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What a host has that a cluster may leave behind: name of the kind -> one line per thing. */
export type HostSnapshot = Readonly<Record<string, readonly string[]>>

/** Folders in which a forgotten file would be noticed. Caches are the product's to keep; the rest of the list is everybody's. */
const watchedFolders = ['/etc', '/usr/local', '/run', '/var/lib/k8s-platform', '/opt', '/root']
/** What all programs of a machine share: only new entries with a name that we or our tools give are ours to answer for. */
const sharedFolders = ['/tmp', '/var/tmp']
const ourTemporaryNames = /k8s-platform|^kp-|^kind|^helm|docker|containerd|debootstrap/
/** Settings of the kernel that clusters want changed. */
const watchedSysctls = ['fs.inotify.max_user_instances', 'fs.inotify.max_user_watches', 'net.ipv4.ip_forward']
const ignored = [
  // Others write here all the time: the system itself, package managers, test runners.
  /^\/run\/(docker|containerd|systemd|user|lock|utmp|mount|udev|shm|sudo|dbus|k8s-platform\/.*\.lock)/,
  /^\/tmp\/(node-compile-cache|v8-compile-cache|vitest|k8s-platform-test-|kubeconfig-|go-build|playwright|pytest)/,
  /^\/root\/(\.cache|\.npm|go|\.config|\.local\/share|\.cargo|\.rustup|\.pyenv|\.m2|\.gnupg|\.docker\/buildx)/,
  /^\/etc\/(mtab|resolv\.conf|hosts)$/,
]

/** Reads the whole host. Counters, times and sizes that change by themselves are left out. */
export async function hostSnapshot(): Promise<HostSnapshot> {
  const [containers, networks, volumes, images, iptables, ip6tables, nftables, links] = await Promise.all([
    lines('docker', ['ps', '-a', '--format', '{{.Names}} {{.Image}}']),
    lines('docker', ['network', 'ls', '--format', '{{.Name}} {{.Driver}}']),
    lines('docker', ['volume', 'ls', '--format', '{{.Name}}']),
    lines('docker', ['images', '--format', '{{.Repository}}:{{.Tag}}']),
    lines('iptables-save', []),
    lines('ip6tables-save', []),
    lines('nft', ['list', 'ruleset']),
    lines('ip', ['-o', 'link', 'show']),
  ])
  return {
    containers,
    networks,
    volumes,
    images,
    iptables: iptables.map(withoutCounters),
    ip6tables: ip6tables.map(withoutCounters),
    nftables: nftables.map((line) => line.replace(/packets \d+ bytes \d+/, 'packets N bytes N')),
    links: links.map((line) => line.split(':')[1]?.trim().split('@')[0] ?? line),
    mounts: readFileSync('/proc/self/mounts', 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' ').slice(0, 3).join(' ')),
    sysctls: watchedSysctls.map(
      (name) => `${name} = ${readFileSync(path.join('/proc/sys', ...name.split('.')), 'utf8').trim()}`,
    ),
    namespaces: networkNamespaces(),
    processes: processes(),
    files: [
      ...watchedFolders.flatMap((folder) => files(folder)),
      ...sharedFolders
        .flatMap((folder) => entries(folder))
        .filter((file) => ourTemporaryNames.test(path.basename(file))),
    ],
  }
}

/** What is there now and was not before, and what is gone: empty when nothing was left behind. */
export function difference(
  before: HostSnapshot,
  after: HostSnapshot,
): Record<string, { added: string[]; removed: string[] }> {
  const result: Record<string, { added: string[]; removed: string[] }> = {}
  for (const kind of Object.keys({ ...before, ...after })) {
    const added = minus(after[kind] ?? [], before[kind] ?? [])
    const removed = minus(before[kind] ?? [], after[kind] ?? [])
    if (added.length > 0 || removed.length > 0) result[kind] = { added, removed }
  }
  return result
}

/** The app's images are part of the cache that `down` keeps and names. */
const kept = /^k8s-platform\/|^<none>:<none>$|\/k8s-platform\//

/** {@link difference}, without the images that are meant to stay. */
export function leftBehind(before: HostSnapshot, after: HostSnapshot): ReturnType<typeof difference> {
  const { images, ...left } = difference(before, after)
  const asMeant = images === undefined || (images.removed.length === 0 && images.added.every((name) => kept.test(name)))
  return asMeant ? left : { ...left, images }
}

/** As multisets: a second identical firewall rule is a difference. */
function minus(left: readonly string[], right: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const entry of right) counts.set(entry, (counts.get(entry) ?? 0) + 1)
  return left.filter((entry) => {
    const count = counts.get(entry) ?? 0
    counts.set(entry, count - 1)
    return count <= 0
  })
}

/** What the program lists. One that is not installed, and Docker without an engine, hold nothing; any other failure is none of the host's, and would hide what is there. */
export async function lines(command: string, args: readonly string[]): Promise<string[]> {
  try {
    const { stdout } = await run(command, [...args], { maxBuffer: 64 * 1024 * 1024 })
    return stdout.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  } catch (error) {
    const { code, stderr = '' } = error as { readonly code?: unknown; readonly stderr?: string }
    if (code === 'ENOENT' || /Cannot connect to the Docker daemon|Is the docker daemon running/i.test(stderr)) return []
    throw error
  }
}

function withoutCounters(line: string): string {
  return line.replace(/\[\d+:\d+\]/g, '[N:N]')
}

function networkNamespaces(): string[] {
  const own = new Set<string>()
  for (const pid of pids()) {
    try {
      own.add(readlinkSync(`/proc/${pid}/ns/net`))
    } catch {
      // Ended while we looked.
    }
  }
  return [`${own.size} network namespaces in use`, ...names('/run/netns').map((name) => `named ${name}`)]
}

function processes(): string[] {
  const ancestors = new Set<number>()
  for (let pid = process.pid; pid > 1; ) {
    ancestors.add(pid)
    pid = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  }
  return pids().flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, 3).join(' ').trim()
      const name = command.split(' ')[0]?.split('/').at(-1) ?? ''
      return ancestors.has(pid) ||
        !/^(dockerd|containerd|docker-proxy|runc|kubelet|kube|etcd|kind|helm|registry|containerd-shim)/.test(name)
        ? []
        : [name]
    } catch {
      return []
    }
  })
}

function pids(): number[] {
  return names('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

function entries(folder: string): string[] {
  return names(folder)
    .map((name) => path.join(folder, name))
    .filter((full) => !ignored.some((pattern) => pattern.test(full)))
}

function files(folder: string): string[] {
  return entries(folder).flatMap((full) => {
    try {
      return lstatSync(full).isDirectory() ? [`${full}/`, ...files(full)] : [full]
    } catch {
      return []
    }
  })
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
