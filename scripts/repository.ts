import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** Root of the checkout. Absolute, without a slash at the end. */
export const repositoryRoot = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
