import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { pathExists } from '../process/path-exists.ts'
import { firstOnPath } from '../tools/find-tool.ts'
import { imageFolders } from './folders.ts'
import type { Recipe } from './recipe.ts'

const aptTimeoutMs = 1_800_000

interface StepOptions {
  readonly onLine: (line: string) => void
}

/** Makes the minimal root file system of a recipe with `bootstrap` in `target`. */
export async function bootstrapRoot(host: Host, recipe: Recipe, target: string, options: StepOptions): Promise<void> {
  if (recipe.bootstrap === undefined) throw new Error(`recipe ${recipe.name} has no bootstrap`)
  const tools = await debootstrapTools(host, options)
  const mirror = defaultMirror(await readFile(join(tools.folder, 'usr/sbin/debootstrap'), 'utf8'))
  const archives = join(imageFolders(host).apt, 'archives')
  await mkdir(archives, { recursive: true })
  await isolated(
    host,
    'bootstrap.sh',
    [
      tools.folder,
      tools.keyring,
      recipe.bootstrap.suite,
      mirror,
      // Debian's archives lie side by side on every mirror that has both.
      mirror.replace(/\/debian\/?$/, '/debian-security'),
      target,
      archives,
      ...recipe.bootstrap.packages,
    ],
    options,
  )
}

/**
 * Lays files, users and packages over roots (top first) and leaves the difference in `upper`.
 * @param files is a tree copied over the root before the packages are installed.
 */
export async function addToRoot(
  host: Host,
  recipe: Recipe,
  layout: { lowers: readonly string[]; upper: string; scratch: string; files: string },
  options: StepOptions,
): Promise<void> {
  const users = join(layout.scratch, 'users')
  const setup = join(layout.scratch, 'setup')
  await mkdir(layout.scratch, { recursive: true })
  await writeFile(
    users,
    recipe.users.map((user) => `${user.name} ${user.uid} ${user.gid} ${user.home} ${user.shell}\n`).join(''),
  )
  if (recipe.setup === undefined) await writeFile(setup, '')
  const script = recipe.setup === undefined ? setup : join(host.paths.assets, 'images', recipe.setup)
  const apt = imageFolders(host).apt
  await isolated(
    host,
    'add-packages.sh',
    [layout.lowers.join(':'), layout.upper, layout.scratch, apt, users, layout.files, script, ...recipe.packages],
    options,
  )
}

/** Unpacks packages of the suite that `root` is, without installing them. */
export async function unpackPackages(
  host: Host,
  root: string,
  packages: readonly string[],
  target: string,
  options: StepOptions,
): Promise<void> {
  await isolated(host, 'unpack-packages.sh', [root, imageFolders(host).apt, target, ...packages], options)
}

/**
 * Runs one of images/debian/*.sh with mounts and processes of its own: when it ends, or is killed, the kernel undoes its mounts and ends its children.
 */
async function isolated(host: Host, script: string, args: readonly string[], options: StepOptions): Promise<void> {
  const file = join(host.paths.assets, 'images/debian', script)
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private']
  await host.exec.run('unshare', [...namespaces, '--', '/bin/bash', file, ...args], {
    quiet: true,
    timeoutMs: aptTimeoutMs,
    signal: host.signal,
    env: { ...host.env, ...(await aptProxy(host)) },
    onLine: options.onLine,
  })
}

/** The mirror that debootstrap takes when it is given none; a proxy in the environment or in apt's configuration is used by itself. */
export function defaultMirror(debootstrap: string): string {
  const mirror = /^DEF_MIRROR="(http[^"]+)"/m.exec(debootstrap)?.[1]
  if (mirror === undefined) {
    throw new UnsupportedError('this debootstrap names no default mirror', {
      code: 'APT_MISSING',
      hint: 'Remove the cache folder: another debootstrap is then fetched.',
    })
  }
  return mirror
}

/** debootstrap and Debian's keys, unpacked in the cache: nothing is installed on the machine. */
async function debootstrapTools(host: Host, options: StepOptions): Promise<{ folder: string; keyring: string }> {
  const apt = imageFolders(host).apt
  const folder = join(apt, 'debootstrap')
  await requirePrograms(host)
  const installedKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
  const hasKeyring = await pathExists(installedKeyring)
  const keyring = hasKeyring ? installedKeyring : join(folder, installedKeyring)
  if ((await pathExists(join(folder, 'usr/sbin/debootstrap'))) && (await pathExists(keyring)))
    return { folder, keyring }

  const downloads = join(apt, 'tools')
  const lists = join(apt, 'host-lists')
  await rm(downloads, { recursive: true, force: true })
  await mkdir(downloads, { recursive: true })
  await mkdir(join(lists, 'partial'), { recursive: true })
  // Lists of its own: the machine's may be missing, and they are not ours to renew.
  const settings = [`Dir::State::Lists=${lists}`, `Dir::Cache=${downloads}`, 'APT::Sandbox::User=root'].flatMap(
    (setting) => ['-o', setting],
  )
  const packages = ['debootstrap', ...(hasKeyring ? [] : ['debian-archive-keyring'])]
  await aptGet(host, [...settings, '--quiet', 'update'], downloads, options)
  await aptGet(host, [...settings, '--quiet', 'download', ...packages], downloads, options)
  for (const archive of (await readdir(downloads)).filter((name) => name.endsWith('.deb'))) {
    await host.exec.run('dpkg-deb', ['--extract', join(downloads, archive), folder], { quiet: true })
  }
  return { folder, keyring }
}

/** What debootstrap and the scripts call; every ordinary installation has them, a minimal one may lack wget. */
async function requirePrograms(host: Host): Promise<void> {
  const searchPath = host.env['PATH'] ?? ''
  for (const program of ['apt-get', 'dpkg-deb', 'tar', 'unshare', 'wget']) {
    if ((await firstOnPath(program, searchPath)) !== undefined) continue
    throw new UnsupportedError(`building images from package registries needs ${program}, and there is none on PATH`, {
      code: 'APT_MISSING',
      hint: 'It needs a Debian or Ubuntu machine with this program installed; or use image-source: registry.',
    })
  }
}

async function aptGet(host: Host, args: readonly string[], cwd: string, options: StepOptions): Promise<void> {
  const { onLine } = options
  await host.exec.run('apt-get', args, { cwd, quiet: true, timeoutMs: aptTimeoutMs, signal: host.signal, onLine })
}

/** apt inside a new root does not see the machine's apt configuration, so its proxy goes through the environment. */
async function aptProxy(host: Host): Promise<Record<string, string>> {
  const { stdout } = await host.exec.run('apt-config', ['shell', 'PROXY', 'Acquire::http::Proxy'], {
    quiet: true,
    allowFailure: true,
  })
  const proxy = /^PROXY='(.+)'$/m.exec(stdout)?.[1]
  return proxy === undefined || proxy === 'DIRECT' ? {} : { http_proxy: proxy }
}
