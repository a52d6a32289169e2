import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { ToolkitError } from '../process/errors.ts'

/**
 * The probe script as shipped: `dist/probe.js`, one ESM file without dependencies.
 * @param assets Root of the shipped repository.
 * @throws ToolkitError PROBE_SCRIPT_MISSING in a checkout that was never built.
 */
export async function loadProbeScript(assets: string): Promise<string> {
  const file = path.join(assets, 'dist', 'probe.js')
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new ToolkitError(`the probe script ${file} cannot be read`, {
      code: 'PROBE_SCRIPT_MISSING',
      hint: 'In a checkout, run `npm run build` first.',
      cause,
    })
  }
}

/** Where pods have the script, and its name there. */
export const probeFile = { folder: '/probe', name: 'probe.mjs' } as const
const file = `${probeFile.folder}/${probeFile.name}`

/** The pod's main process, which tells whoever asks which pod it is. */
export const serveCommand = ['node', file, 'serve'] as const
/** What is started beside it to dial from there. */
export const batchesCommand = ['node', file, 'batches'] as const
