import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** Root of the shipped repository: the nearest folder above this file that has an action.yml, also when this is a chunk in dist/. */
export function assetsFolder(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url))
  while (!existsSync(path.join(folder, 'action.yml'))) {
    const above = path.dirname(folder)
    if (above === folder) throw new Error(`no action.yml above ${fileURLToPath(import.meta.url)}`)
    folder = above
  }
  return folder
}
