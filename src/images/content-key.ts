import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../process/host.ts'
import { changesRoot, needsOf, type Recipes } from './load-recipes.ts'
import type { GoBinary, Recipe } from './recipe.ts'

/** Raised when the builder makes other bytes out of the same recipe. */
const builderVersion = 1

/** Key of each recipe: 64 hex digits over the recipe, every file it uses, and the keys of what it builds on. */
export async function contentKeys(host: Pick<Host, 'paths'>, recipes: Recipes): Promise<ReadonlyMap<string, string>> {
  const keys = new Map<string, string>()
  const keyOf = async (recipe: Recipe): Promise<string> => {
    const known = keys.get(recipe.name)
    if (known !== undefined) return known
    const needed: Record<string, string> = {}
    for (const name of needsOf(recipe)) {
      const other = recipes.get(name)
      if (other !== undefined) needed[name] = await keyOf(other)
    }
    // What an image is called, when it is built, how long that takes and what is checked afterwards do not change it, and preloaded names do.
    const {
      contract: _contract,
      seconds: _seconds,
      description: _description,
      upstream: _upstream,
      optional: _optional,
      variables,
      ...content
    } = recipe
    const key = sha256({
      builderVersion,
      content,
      needed,
      preloaded: recipe.preload.flatMap((name) => recipes.get(name)?.upstream ?? []),
      variables: recipe.files.some((file) => file.substitute) ? variables : {},
      files: await inputDigests(host, recipe),
      scripts: await scriptDigests(host, recipe),
    })
    keys.set(recipe.name, key)
    return key
  }
  for (const recipe of recipes.values()) await keyOf(recipe)
  return keys
}

/** Key of one compiled binary. The compiler's version is recorded, not part of it: an update of Go alone rebuilds nothing. */
export async function binaryKey(host: Pick<Host, 'paths'>, binary: GoBinary): Promise<string> {
  return sha256({ builderVersion, binary, folder: await folderDigest(host, binary) })
}

/** The scripts that work on a root file system for this recipe. */
async function scriptDigests(host: Pick<Host, 'paths'>, recipe: Recipe): Promise<readonly string[]> {
  const scripts = [
    ...(recipe.bootstrap === undefined ? [] : ['bootstrap.sh']),
    ...(recipe.unpack === undefined ? [] : ['unpack-packages.sh']),
    ...(changesRoot(recipe) ? ['add-packages.sh'] : []),
  ]
  return Promise.all(scripts.map((script) => digestTree(join(host.paths.assets, 'images/debian', script))))
}

async function inputDigests(host: Pick<Host, 'paths'>, recipe: Recipe): Promise<Record<string, string>> {
  const paths = [...recipe.files.map((file) => file.from), ...(recipe.setup === undefined ? [] : [recipe.setup])]
  const digests: Record<string, string> = {}
  for (const path of paths) digests[path] = await digestTree(join(host.paths.assets, 'images', path))
  for (const [path, binary] of Object.entries(recipe.go)) digests[`go ${path}`] = await folderDigest(host, binary)
  return digests
}

async function folderDigest(host: Pick<Host, 'paths'>, binary: GoBinary): Promise<string> {
  if (binary.folder === undefined) return ''
  return digestTree(join(host.paths.assets, 'images', binary.folder), (file) =>
    file.endsWith('.go') ? !file.endsWith('_test.go') : /(^|\/)go\.(mod|sum)$|\.(sql|lua|json|tmpl)$/.test(file),
  )
}

/** Digest over names, executable bits and contents of a file or a folder. */
export async function digestTree(root: string, wanted: (relative: string) => boolean = () => true): Promise<string> {
  const hash = createHash('sha256')
  const visit = async (path: string, relative: string): Promise<void> => {
    const info = await stat(path)
    if (info.isDirectory()) {
      for (const entry of (await readdir(path)).sort())
        await visit(join(path, entry), relative === '' ? entry : `${relative}/${entry}`)
      return
    }
    if (!wanted(relative)) return
    hash.update(`${relative}\0${(info.mode & 0o111) !== 0 ? 'x' : '-'}\0`)
    hash.update(
      createHash('sha256')
        .update(await readFile(path))
        .digest(),
    )
  }
  await visit(root, '')
  return hash.digest('hex')
}

/** Digest of a value as JSON with its keys in order. */
export function sha256(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value, sortKeys)).digest('hex')
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
