import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandError, messageOf, NotReadyError, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import type { KindPlan } from './kind.ts'
import { portHolder } from './port-holder.ts'
import { takenPort } from './transient.ts'

/** What kind said, beside the nodes' logs. */
export async function keepOutput(folder: string, output: string): Promise<void> {
  if (output.trim() === '') return
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'kind.log'), output)
  } catch {
    // The end of it is in the error's details.
  }
}

/** What a person is told when kind failed for good. */
export async function creationError(host: Host, error: unknown, plan: KindPlan, attempts: number): Promise<unknown> {
  if (!(error instanceof CommandError)) return error
  if (error.killedBy === 'cancellation') return error
  const cause = saidBy(error)
  const port = takenPort(error.stderr)
  if (port !== undefined) {
    const holder = await portHolder(host, port)
    return new ToolkitError(`port ${port} of this host is taken${holder === undefined ? '' : ` by ${holder}`}`, {
      code: 'PORT_TAKEN',
      cause: error,
      hint: `End what listens there (\`ss -ltnp sport = :${port}\`), or give another port.`,
      diagnostics: error.diagnostics,
    })
  }
  if (error.timedOut) {
    return new NotReadyError(`cluster ${plan.request.name} was not created within its time: ${cause}`, {
      code: 'CLUSTER_TIMEOUT',
      cause: error,
      hint: `Give a longer \`timeout\`; the nodes' journals are under ${plan.logsPath}.`,
      diagnostics: error.diagnostics,
    })
  }
  return new ToolkitError(
    `cluster ${plan.request.name} could not be created${attempts > 1 ? ` in ${attempts} tries` : ''}: ${cause}`,
    {
      code: 'CLUSTER_CREATE_FAILED',
      cause: error,
      hint: `The nodes' journals are under ${plan.logsPath}.`,
      diagnostics: error.diagnostics,
    },
  )
}

/** In one line, as it goes into the message of another error. */
export function saidBy(error: unknown): string {
  return (error instanceof CommandError ? kindsOwnError(error.stderr) : undefined) ?? messageOf(error)
}

/** kind prints `ERROR: failed to create cluster: ...` first and then pages of the failed command's output. */
function kindsOwnError(stderr: string): string | undefined {
  const line = stderr.split('\n').find((text) => text.startsWith('ERROR: '))
  return line
    ?.slice('ERROR: '.length)
    .replace(/^failed to create cluster: /, '')
    .trim()
}
