import { cp, mkdir } from 'node:fs/promises'
import path from 'node:path'
import { digestOfFiles, filesBelow } from '../deploy/folder-digest.ts'
import type { Host } from '../process/host.ts'
import type { AppService } from './services.ts'

export interface BuildContext {
  /** The service's source in the assets. */
  readonly source: string
  /** Relative paths of the files that make the image. */
  readonly files: readonly string[]
  /** sha256 over them, lower-case hex. */
  readonly digest: string
}

/** What a developer's checkout holds besides the source. Tests make no difference to the image. */
const notSource = new Set([
  'node_modules',
  'vendor',
  '__pycache__',
  '.venv',
  '.pytest_cache',
  '.mypy_cache',
  'coverage',
  'test',
  'tests',
])

/** The source of one service, as it is in the assets now. */
export async function readBuildContext(host: Host, service: AppService): Promise<BuildContext> {
  const source = path.join(host.paths.assets, 'voting-app', service)
  const files = (await filesBelow(source, notSource)).filter(
    (file) => !file.endsWith('.whl') && !file.endsWith('_test.go'),
  )
  return { source, files, digest: await digestOfFiles(source, files) }
}

/** Copies exactly the files that were digested, so that the image is what its tag says and nothing a checkout has lying about. */
export async function stageBuildContext(context: BuildContext, folder: string): Promise<void> {
  for (const file of context.files) {
    const target = path.join(folder, file)
    await mkdir(path.dirname(target), { recursive: true })
    await cp(path.join(context.source, file), target)
  }
}
