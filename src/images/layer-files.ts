import {
  chmod,
  chown,
  copyFile,
  cp,
  lchown,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { InputError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { copyModuleTree, copyNpmFiles, writeModuleFile } from './module-inputs.ts'
import type { Recipe } from './recipe.ts'
import { fill } from './variables.ts'

/**
 * Puts everything a recipe brings besides Debian packages below `root`, owned by root, modes as the recipe says.
 * @param binaries compiled binaries by their path in the image.
 */
export async function writeLayerFiles(
  host: Host,
  recipe: Recipe,
  binaries: ReadonlyMap<string, string>,
  root: string,
): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o755 })
  if (recipe.moduleTree !== undefined) await copyModuleTree(host, recipe.moduleTree, root)
  if (recipe.npm !== undefined) await copyNpmFiles(host, recipe.npm, root)
  for (const file of recipe.moduleFiles) await writeModuleFile(host, file, root)
  for (const [path, binary] of binaries) {
    await place(root, path, (target) => copyFile(binary, target))
    await chmod(join(root, path), 0o755)
  }
  for (const file of recipe.files) await copyAsset(host, recipe, file, root)
  for (const [path, text] of Object.entries(recipe.texts))
    await place(root, path, (target) => writeFile(target, text, { mode: 0o644 }))
  for (const [path, target] of Object.entries(recipe.links)) {
    await place(root, path, async (link) => {
      await rm(link, { force: true })
      await symlink(target, link)
    })
  }
  for (const [path, names] of Object.entries(recipe.linksTo)) {
    for (const name of names) await place(root, join(dirname(path), name), (link) => symlink(basename(path), link))
  }
  await ownByRoot(root)
  for (const directory of recipe.directories) {
    const path = join(root, directory.path)
    const [uid = 0, gid = 0] = directory.owner.split(':').map(Number)
    await mkdir(path, { recursive: true })
    await chown(path, uid, gid)
    await chmod(path, Number.parseInt(directory.mode, 8))
  }
}

async function place(root: string, path: string, write: (target: string) => Promise<void>): Promise<void> {
  const target = join(root, path)
  await mkdir(dirname(target), { recursive: true })
  await write(target)
}

async function copyAsset(host: Host, recipe: Recipe, file: Recipe['files'][number], root: string): Promise<void> {
  const source = join(host.paths.assets, 'images', file.from)
  const target = join(root, file.to)
  await mkdir(dirname(target), { recursive: true })
  await cp(source, target, { recursive: true })
  await setAssetModes(target, file.mode === undefined ? undefined : Number.parseInt(file.mode, 8))
  if (file.substitute) await substituteTree(target, recipe)
}

/** Git keeps one bit of a mode; the umask of whoever checked out must not reach the image. */
async function setAssetModes(path: string, mode: number | undefined): Promise<void> {
  const info = await stat(path)
  if (!info.isDirectory()) {
    await chmod(path, mode ?? ((info.mode & 0o111) !== 0 ? 0o755 : 0o644))
    return
  }
  await chmod(path, 0o755)
  for (const entry of await readdir(path)) await setAssetModes(join(path, entry), mode)
}

async function substituteTree(path: string, recipe: Recipe): Promise<void> {
  const info = await stat(path)
  if (info.isDirectory()) {
    for (const entry of await readdir(path)) await substituteTree(join(path, entry), recipe)
    return
  }
  const text = await readFile(path, 'utf8')
  const filled = fill(text, recipe.variables, (variable) => {
    throw new InputError(
      [{ name: `recipe ${recipe.name}, ${path}`, value: `\${${variable}}`, problem: 'is not a variable' }],
      { code: 'RECIPE_INVALID' },
    )
  })
  if (filled !== text) await writeFile(path, filled)
}

async function ownByRoot(path: string): Promise<void> {
  await lchown(path, 0, 0)
  const entries = await readdir(path, { withFileTypes: true })
  for (const entry of entries) {
    const child = join(path, entry.name)
    if (entry.isDirectory()) await ownByRoot(child)
    else await lchown(child, 0, 0)
  }
}
