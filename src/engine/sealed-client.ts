import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../process/host.ts'
import { at, exists, type Machine, thisMachine, writeText } from './machine.ts'
import { sealedDnsArgs } from './seal.ts'
import { withSystemPath } from './system-path.ts'

/**
 * An environment in which `docker run` means `docker run` with {@link sealedDnsArgs}, for kind: it has no setting for a node's name server, and takes
 * docker from PATH. All other commands and arguments go through unchanged.
 */
export async function sealedClientEnvironment(
  host: Host,
  machine: Machine = thisMachine,
): Promise<Record<string, string>> {
  const env = withSystemPath(host.env)
  const real = await findClient(env['PATH'] ?? '', machine)
  if (real === undefined) return env
  const folder = join(host.paths.temp, 'sealed-docker')
  const file = join(folder, 'docker')
  await writeText(machine, file, renderClient(real), 0o755)
  await chmod(at(machine, file), 0o755) // whatever the umask
  return { ...env, PATH: `${folder}:${env['PATH']}` }
}

function renderClient(real: string): string {
  const quoted = `'${real.replaceAll("'", `'\\''`)}'`
  return `#!/bin/sh
if [ "$1" = run ] || [ "$1" = create ]; then
  command=$1
  shift
  set -- "$command" ${sealedDnsArgs.join(' ')} "$@"
fi
exec ${quoted} "$@"
`
}

async function findClient(path: string, machine: Machine): Promise<string | undefined> {
  for (const folder of path.split(':')) {
    if (
      folder.startsWith('/') &&
      !folder.endsWith('/sealed-docker') &&
      (await exists(machine, join(folder, 'docker')))
    ) {
      return join(folder, 'docker')
    }
  }
  return undefined
}
