import { watch } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { messageOf, NotReadyError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { waitFor } from '../process/wait.ts'
import {
  at,
  type DaemonProcess,
  exists,
  identify,
  isRunning,
  list,
  type Machine,
  type ProcessIdentity,
  readText,
  remove,
  writeText,
} from './machine.ts'
import { engineFolder } from './record.ts'
import { daemonConfiguration } from './runtime.ts'
import { withSystemPath } from './system-path.ts'
import { engineVersion } from './version.ts'

/** Where dockerd listens by default, and the client asks. */
export const dockerSocket = '/run/docker.sock'

const startTimeoutMs = 90_000
const stopTimeoutMs = 60_000

/**
 * Starts dockerd without systemd: own session, own configuration file, process id and log in the state folder. Resolves when the engine
 * answers.
 *
 * @param started called as soon as the process exists, before it is waited for, so that the caller can record it
 * @throws NotReadyError DOCKERD_FAILED when it ends or stays silent, with the end of its log
 */
export async function startDaemon(
  host: Host,
  machine: Machine,
  wrapper: string | undefined,
  started: (identity: ProcessIdentity) => Promise<void>,
): Promise<void> {
  const folder = engineFolder(host)
  const configuration = join(folder, 'daemon.json')
  const logFile = join(folder, 'dockerd.log')
  await writeText(
    machine,
    configuration,
    `${JSON.stringify(await daemonConfiguration(machine, wrapper), null, 2)}\n`,
    0o600,
  )
  // A killed dockerd leaves these; it then takes the old socket for a folder or another live daemon.
  for (const leftover of [dockerSocket, join(folder, 'dockerd.pid')]) await remove(machine, leftover)
  if (!(await containerdRuns(machine))) await remove(machine, containerdPidFile)
  const daemon = await machine.startDaemon(
    'dockerd',
    ['--config-file', configuration, '--pidfile', join(folder, 'dockerd.pid')],
    { logFile: at(machine, logFile), env: withSystemPath(host.env) },
  )
  const identity = await identify(machine, daemon.pid)
  if (identity !== undefined) await started(identity)
  try {
    await untilAnswering(host, machine, daemon)
  } catch (error) {
    if (identity !== undefined) await stopDaemon(host, machine, identity).catch(() => {})
    const log = ((await readText(machine, logFile)) ?? '').trimEnd().split('\n').slice(-30)
    throw new NotReadyError(`dockerd did not start: ${messageOf(error)}`, {
      code: 'DOCKERD_FAILED',
      hint: `Its whole log is ${logFile}.`,
      diagnostics: log,
      cause: error,
    })
  }
}

/** Where dockerd looks for a containerd of an earlier dockerd. */
const containerdPidFile = '/run/docker/containerd/containerd.pid'

/** dockerd waits in vain for any process of that id, a zombie or another program too; only a live containerd can be used again. */
async function containerdRuns(machine: Machine): Promise<boolean> {
  const pid = (await readText(machine, containerdPidFile))?.trim()
  if (pid === undefined || !/^\d+$/.test(pid)) return false
  const stat = await readText(machine, `/proc/${pid}/stat`)
  return stat !== undefined && /^\d+ \(containerd\) [^ZX] /.test(stat)
}

async function untilAnswering(host: Host, machine: Machine, daemon: DaemonProcess): Promise<void> {
  const over = new AbortController()
  const signal = AbortSignal.any([host.signal, over.signal, AbortSignal.timeout(startTimeoutMs)])
  let end: string | undefined
  const ended = daemon.ended.then((reason) => {
    end = reason
    over.abort()
  })
  await Promise.race([whenExists(machine, dockerSocket, signal), ended])
  // The socket accepts before the engine is ready, and the first answer waits for it: no loop in the usual case.
  await waitFor(
    { ...host, signal },
    'Docker engine',
    async (probe) => (end === undefined ? await engineVersion(host, probe) : undefined),
    { done: (version) => version !== undefined, explain: () => 'no answer yet', timeoutMs: startTimeoutMs },
  ).catch((error: unknown) => {
    throw end === undefined ? error : new NotReadyError(`dockerd ended with ${end}`, { cause: error })
  })
}

/** Resolves when the path exists, and also when the signal aborts; the caller looks again anyway. */
async function whenExists(machine: Machine, path: string, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
    try {
      const watcher = watch(at(machine, dirname(path)), { signal }, (_event, name) => {
        if (name === basename(path)) end()
      })
      const end = (): void => {
        watcher.close()
        resolve()
      }
      watcher.on('error', end)
      // It may have come before the watch.
      void exists(machine, path).then((there) => there && end())
    } catch {
      resolve()
    }
  })
}

/**
 * Stops the very dockerd of the record: SIGTERM, which stops its containers and its containerd, then SIGKILL at the deadline. Nothing happens when
 * it is gone or the process id belongs to somebody else now.
 */
export async function stopDaemon(host: Host, machine: Machine, identity: ProcessIdentity): Promise<void> {
  if (!(await isRunning(machine, identity))) return
  machine.signal(identity.pid, 'SIGTERM')
  const gone = async (timeoutMs: number): Promise<void> => {
    await waitFor(host, `end of dockerd (process ${identity.pid})`, () => isRunning(machine, identity), {
      done: (running) => !running,
      explain: () => 'still running',
      timeoutMs,
      intervalMs: 50,
    })
  }
  await gone(stopTimeoutMs).catch(async (error: unknown) => {
    if (host.signal.aborted) throw error
    host.log.warning(`dockerd (process ${identity.pid}) did not end after SIGTERM; killing it`)
    machine.signal(identity.pid, 'SIGKILL')
    await gone(10_000)
  })
}

/** Process ids of every dockerd that can be seen from here. */
export async function visibleDaemons(machine: Machine): Promise<number[]> {
  const pids = (await list(machine, '/proc')).filter((name) => /^\d+$/.test(name))
  const names = await Promise.all(pids.map((pid) => readText(machine, `/proc/${pid}/comm`).catch(() => undefined)))
  return pids.filter((_, index) => names[index]?.trim() === 'dockerd').map(Number)
}
