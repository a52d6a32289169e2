import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

/**
 * Compares two folders byte by byte: one line for each file that differs, is missing or is too much. `ignored` files of the first folder, by path within it, are
 * not looked at.
 */
export async function differences(
  committed: string,
  fresh: string,
  ignored: readonly string[] = [],
): Promise<string[]> {
  const [before, after] = await Promise.all([filesOf(committed), filesOf(fresh)])
  const lines: string[] = []
  for (const name of [...new Set([...before, ...after])].sort()) {
    if (ignored.includes(name)) continue
    if (!before.includes(name)) lines.push(`${name} is missing`)
    else if (!after.includes(name)) lines.push(`${name} is left over`)
    else {
      const [a, b] = await Promise.all([readFile(path.join(committed, name)), readFile(path.join(fresh, name))])
      if (!a.equals(b)) lines.push(`${name} differs`)
    }
  }
  return lines
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
}
