import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { ProbeBatch } from '../probe/protocol.ts'
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

/** How the script is started in a pod: as a module from standard input. */
export const probeCommand = ['node', '--input-type=module', '-'] as const

/** What goes to standard input: the batch as a literal that no content can break out of, then the script. */
export function renderStdin(script: string, batch: ProbeBatch): string {
  return `globalThis.k8sPlatformBatch = JSON.parse(${JSON.stringify(JSON.stringify(batch))});\n${script}\n`
}
