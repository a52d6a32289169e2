import { join } from 'node:path'
import { CommandError, UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { goVersion, withPackageCaches } from '../process/package-caches.ts'
import { exists, type Machine, readText } from './machine.ts'
import { engineFolder } from './record.ts'

/** Name under which the wrapper is registered with Docker. */
export const runtimeName = 'k8s-platform-capless'

/** Docker's configuration file when none is named on its command line. */
const userConfiguration = '/etc/docker/daemon.json'

/**
 * Builds the capability-stripping runtime wrapper (images/capless-runtime) into the state folder and returns its path. A binary that is there
 * already is kept: a running dockerd refers to it.
 *
 * @throws UnsupportedError GO_MISSING when there is no Go toolchain
 */
export async function buildRuntime(host: Host, machine: Machine): Promise<string> {
  const target = join(engineFolder(host), 'capless-runtime')
  if (await exists(machine, target)) return target
  try {
    await host.exec.run('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', target, '.'], {
      cwd: join(host.paths.assets, 'images/capless-runtime'),
      // The module has no dependency, so nothing is fetched: also no newer toolchain.
      env: { ...withPackageCaches(host), CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '-mod=mod', GOWORK: 'off' },
      quiet: true,
      timeoutMs: 180_000,
    })
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode !== null || error.timedOut) throw error
    throw new UnsupportedError('Docker needs a runtime wrapper on this host, and there is no Go to build it', {
      code: 'GO_MISSING',
      hint: `Install Go ${goVersion} or newer (https://go.dev/dl) and have \`go\` on PATH. The wrapper is needed because root here lacks capabilities that privileged containers ask for.`,
      cause: error,
    })
  }
  return target
}

/**
 * The configuration for a dockerd that we start: the user's own, where there is one, with the wrapper as default runtime. It goes into a file of
 * ours, so that nothing of the user's is edited and nothing has to be put back.
 *
 * @param wrapper path of the wrapper, or undefined when root here has every capability
 * @throws UnsupportedError DOCKER_CONFIGURATION when the user's file is not a JSON object
 */
export async function daemonConfiguration(machine: Machine, wrapper: string | undefined): Promise<object> {
  const text = (await readText(machine, userConfiguration))?.trim()
  const user = text === undefined || text === '' ? {} : parseConfiguration(text)
  if (wrapper === undefined) return user
  const runtimes = typeof user['runtimes'] === 'object' ? user['runtimes'] : {}
  return { ...user, runtimes: { ...runtimes, [runtimeName]: { path: wrapper } }, 'default-runtime': runtimeName }
}

function parseConfiguration(text: string): Record<string, unknown> {
  let value: unknown
  let cause: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    cause = error
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UnsupportedError(`${userConfiguration} is not a JSON object, so dockerd cannot start with it`, {
      code: 'DOCKER_CONFIGURATION',
      hint: `Correct or remove ${userConfiguration}, for example {"log-driver": "local"}.`,
      cause,
    })
  }
  return value as Record<string, unknown>
}
