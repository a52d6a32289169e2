import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

/** Files below a folder, relative, sorted by name; folders of the names given are not entered. */
export async function filesBelow(folder: string, skip: ReadonlySet<string> = new Set()): Promise<string[]> {
  const found: string[] = []
  const visit = async (relative: string): Promise<void> => {
    for (const entry of await readdir(path.join(folder, relative), { withFileTypes: true })) {
      if (skip.has(entry.name)) continue
      const name = path.posix.join(relative, entry.name)
      if (entry.isDirectory()) await visit(name)
      else if (entry.isFile()) found.push(name)
    }
  }
  await visit('')
  return found.sort()
}

/** sha256 over names and contents, lower-case hex. The same files give the same digest on any machine and at any time. */
export async function digestOfFiles(folder: string, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) {
    const content = await readFile(path.join(folder, file))
    // Lengths keep a name from running into a content.
    hash.update(`${file.length} ${file} ${content.length} `).update(content)
  }
  return hash.digest('hex')
}
