import { stat } from 'node:fs/promises'
import path from 'node:path'
import { CommandError, InputError, type Problem } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { baseProblems, kustomizationFiles } from './kustomization-bases.ts'
import { confinement } from './manifest-files.ts'
import type { ManifestText } from './parse-manifests.ts'

const renderMs = 120_000
const largestOutput = 64 * 1024 * 1024

/**
 * What a kustomization renders to, by `kubectl kustomize`: plugins, functions and Helm charts are off, and it reads files only below its own folder and its bases,
 * which are held inside of the root.
 * @throws InputError for a folder that is none, and with kustomize's own words for one that cannot be rendered.
 */
export async function renderKustomization(
  host: Host,
  kubectl: () => Promise<string>,
  folder: string,
  root: string | undefined,
): Promise<ManifestText> {
  const problem = (await confinement('kustomize', folder, root)) ?? (await folderProblem(folder))
  if (problem !== undefined) throw new InputError([problem])
  const bases = root === undefined ? [] : await baseProblems(folder, root)
  if (bases.length > 0) throw new InputError(bases)
  try {
    const args = ['kustomize', '--', folder]
    const { stdout } = await host.exec.run(await kubectl(), args, {
      quiet: true,
      timeoutMs: renderMs,
      maxBuffer: largestOutput,
    })
    return { name: `kustomization ${folder}, rendered line`, text: stdout }
  } catch (error) {
    if (!(error instanceof CommandError) || error.timedOut || error.killedBy !== null) throw error
    const why = error.stderr
      .trim()
      .replace(/^error: /, '')
      .replace(/\s*\n\s*/g, '; ')
    throw new InputError([{ name: 'kustomize', value: folder, problem: `cannot be rendered: ${why}` }], {
      cause: error,
    })
  }
}

async function folderProblem(folder: string): Promise<Problem | undefined> {
  for (const file of kustomizationFiles) {
    const found = await stat(path.join(folder, file)).catch(() => undefined)
    if (found?.isFile() === true) return undefined
  }
  return {
    name: 'kustomize',
    value: folder,
    problem: 'is no kustomization',
    allowed: `a folder with a ${kustomizationFiles.join(', ')}`,
    example: 'k8s/overlays/test',
  }
}
