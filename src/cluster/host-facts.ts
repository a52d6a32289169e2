import { readFile, statfs } from 'node:fs/promises'
import { UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import type { PreflightFacts } from './preflight.ts'

export interface HostFacts extends PreflightFacts {
  /** Version of Docker's server. */
  readonly dockerVersion: string
  readonly cgroupVersion: 1 | 2
}

interface DockerInfo {
  readonly ServerVersion?: string
  readonly CgroupVersion?: string
  readonly DockerRootDir?: string
  readonly OSType?: string
}

/** What Docker and the kernel say about this host. Rejects with UnsupportedError `DOCKER_UNREACHABLE` where no engine answers. */
export async function hostFacts(host: Host): Promise<HostFacts> {
  const info = await dockerInfo(host)
  const freeDiskPath = info.DockerRootDir ?? '/'
  const [instances, watches, memory, disk] = await Promise.all([
    readNumber('/proc/sys/fs/inotify/max_user_instances'),
    readNumber('/proc/sys/fs/inotify/max_user_watches'),
    readFile('/proc/meminfo', 'utf8'),
    // Docker's folder is not there where the engine runs on another machine, or is not readable for us.
    statfs(freeDiskPath).catch(() => statfs('/')),
  ])
  return {
    dockerVersion: info.ServerVersion ?? 'unknown',
    cgroupVersion: info.CgroupVersion === '1' ? 1 : 2,
    inotifyInstances: instances,
    inotifyWatches: watches,
    availableMemoryBytes: Number(/^MemAvailable:\s+(\d+) kB$/m.exec(memory)?.[1] ?? 0) * 1024,
    freeDiskBytes: disk.bavail * disk.bsize,
    freeDiskPath,
  }
}

async function dockerInfo(host: Host): Promise<DockerInfo> {
  const result = await host.exec
    .run('docker', ['info', '--format', '{{json .}}'], { quiet: true, allowFailure: true, timeoutMs: 60_000 })
    .catch((error: unknown) => {
      throw unreachable('the docker program cannot be run', error)
    })
  // An engine that does not answer still gives a client's half of the record, with exit code 0 in some versions.
  const info = JSON.parse(result.stdout.trim() || '{}') as DockerInfo & { readonly ServerErrors?: readonly string[] }
  if (
    result.exitCode !== 0 ||
    (info.ServerErrors ?? []).length > 0 ||
    info.ServerVersion === undefined ||
    info.ServerVersion === ''
  ) {
    throw unreachable(info.ServerErrors?.[0] ?? result.stderr.trim().split('\n').at(-1) ?? 'no answer')
  }
  return info
}

function unreachable(why: string, cause?: unknown): UnsupportedError {
  return new UnsupportedError(`no Docker engine can be reached: ${why}`, {
    code: 'DOCKER_UNREACHABLE',
    cause,
    hint: 'Start Docker, or on a runner without one use an existing cluster: give its `kubeconfig` to the other actions.',
  })
}

async function readNumber(path: string): Promise<number> {
  return Number((await readFile(path, 'utf8')).trim())
}
