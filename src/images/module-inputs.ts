import { createHash } from 'node:crypto'
import { chmod, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { withPackageCaches } from '../process/package-caches.ts'
import { imageFolders } from './folders.ts'
import { downloadModule, moduleFile } from './go-build.ts'
import type { Recipe } from './recipe.ts'

const packTimeoutMs = 300_000

/** Copies a whole Go module, such as a Go toolchain, below `root`. */
export async function copyModuleTree(host: Host, tree: NonNullable<Recipe['moduleTree']>, root: string): Promise<void> {
  const { folder } = await downloadModule(host, tree.module, tree.version)
  const target = join(root, tree.to)
  await mkdir(dirname(target), { recursive: true })
  await cp(folder, target, { recursive: true })
  await setModes(target, '', tree.executable)
}

/** Modules are unpacked read only and without executable bits. */
async function setModes(target: string, relative: string, executable: readonly string[]): Promise<void> {
  const path = join(target, relative)
  await chmod(path, 0o755)
  for (const entry of await readdir(path, { withFileTypes: true })) {
    // A module archive cannot hold another module's go.mod, so the toolchain's are renamed in it.
    if (entry.name === '_go.mod') {
      await rename(join(path, entry.name), join(path, 'go.mod'))
      entry.name = 'go.mod'
    }
    const name = relative === '' ? entry.name : `${relative}/${entry.name}`
    if (entry.isDirectory()) await setModes(target, name, executable)
    else await chmod(join(target, name), executable.some((prefix) => name.startsWith(prefix)) ? 0o755 : 0o644)
  }
}

/** Writes a file of a Go module below `root`, edited as the recipe says. */
export async function writeModuleFile(host: Host, file: Recipe['moduleFiles'][number], root: string): Promise<void> {
  let text = await moduleFile(host, file.module, file.version, file.from)
  for (const edit of file.edits)
    text = replaceOnce(text, edit.find, edit.replace, `${file.module} ${file.version} ${file.from}`)
  const target = join(root, file.to)
  await mkdir(dirname(target), { recursive: true })
  await writeFile(target, text)
}

/** An edit that finds nothing, or too much, means that the file is not the one the edit was written for. */
export function replaceOnce(text: string, find: string, replace: string, where: string): string {
  const parts = text.split(find)
  if (parts.length === 2) return parts.join(replace)
  throw new ToolkitError(
    `${where}: ${JSON.stringify(find)} is there ${parts.length - 1} times, and must be there once`,
    {
      code: 'RECIPE_INVALID',
      hint: 'The upstream file has changed; correct the edit in the recipe.',
    },
  )
}

/** Copies files of an npm package below `root`, after checking the package against its integrity. */
export async function copyNpmFiles(host: Host, npm: NonNullable<Recipe['npm']>, root: string): Promise<void> {
  const folder = join(imageFolders(host).npm, `${npm.package.replaceAll('/', '-')}-${npm.version}`)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const args = ['pack', '--silent', '--json', '--ignore-scripts', `${npm.package}@${npm.version}`]
  const { stdout } = await host.exec.run('npm', args, {
    cwd: folder,
    env: withPackageCaches(host),
    quiet: true,
    timeoutMs: packTimeoutMs,
    signal: host.signal,
  })
  const [packed] = JSON.parse(stdout) as { filename: string }[]
  const archive = join(folder, (packed?.filename ?? '').replace('@', '').replaceAll('/', '-'))
  const integrity = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`
  if (integrity !== npm.integrity) {
    throw new ToolkitError(
      `npm package ${npm.package} ${npm.version} has integrity ${integrity}, the recipe says ${npm.integrity}`,
      {
        code: 'INTEGRITY_MISMATCH',
        hint: 'The registry served another file than the one the recipe was written for.',
      },
    )
  }
  await host.exec.run(
    'tar',
    ['--extract', '--gzip', '--file', archive, '--directory', folder, '--strip-components', '1'],
    { quiet: true },
  )
  for (const [from, to] of Object.entries(npm.files)) {
    await mkdir(dirname(join(root, to)), { recursive: true })
    await cp(join(folder, from), join(root, to), { recursive: true })
  }
  await rm(folder, { recursive: true, force: true })
}
