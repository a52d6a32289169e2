import { readdir, readFile } from 'node:fs/promises'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { waitFor } from '../process/wait.ts'
import { clusterLabel, listContainers, removeContainers } from './docker.ts'
import { livenessOf } from './owner.ts'
import type { ClusterState } from './state.ts'

/** In the environment of every program that makes something of a cluster, and so of its children: by it a later run finds what a killed one has left running. */
const makesVariable = 'K8S_PLATFORM_MAKES'

/** The host as the creation of a cluster uses it: all that it starts can be found by {@link endUnfinishedWork}. */
export function makingHost(host: Host, cluster: string): Host {
  return {
    ...host,
    exec: {
      run: (command, args, options = {}) =>
        host.exec.run(command, args, { ...options, env: { ...(options.env ?? host.env), [makesVariable]: cluster } }),
    },
  }
}

export interface Program {
  readonly pid: number
  readonly command: readonly string[]
}

/** Processes of this machine, so that tests can play them. */
export interface Programs {
  /** Those that make something of that cluster, in no order. */
  making(cluster: string): Promise<Program[]>
  signal(pid: number, signal: NodeJS.Signals): void
}

export const linuxPrograms: Programs = {
  async making(cluster) {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    const found = await Promise.all(
      pids.map(async (pid): Promise<Program[]> => {
        // Gone meanwhile, or somebody else's.
        const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
        if (!environment.split('\0').includes(`${makesVariable}=${cluster}`)) return []
        const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
        // One that has ended has no command line any more.
        return command === '' ? [] : [{ pid: Number(pid), command: command.split('\0').slice(0, -1) }]
      }),
    )
    return found.flat()
  },
  signal(pid, signal) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has just ended.
    }
  },
}

const makerMs = 12_000
const programsMs = 60_000

/**
 * Ends whatever still makes a cluster that is to be removed: the run itself where it outlived its job, and the programs of a run that was killed, which know nothing of its
 * death and go on. Afterwards nothing new comes into being.
 */
export async function endUnfinishedWork(
  host: Host,
  name: string,
  state: ClusterState | undefined,
  programs: Programs = linuxPrograms,
): Promise<void> {
  if (state !== undefined && state.phase !== 'ready') await endMaker(host, state, programs)
  const look = async (): Promise<Program[]> => {
    const running = await programs.making(name)
    for (const program of running) if (!finishesByItself(program)) programs.signal(program.pid, 'SIGKILL')
    return running
  }
  await waitFor(host, `what is left running of the run that made cluster ${name}`, look, {
    done: (running) => running.length === 0,
    explain: (running) => running.map(({ pid, command }) => `${pid} ${command.slice(0, 2).join(' ')}`).join(', '),
    timeoutMs: programsMs,
    intervalMs: 100,
  }).catch(async (error: unknown) => {
    host.log.debug(messageOf(error))
    for (const { pid } of await programs.making(name)) programs.signal(pid, 'SIGKILL')
  })
  if (state !== undefined && state.phase !== 'ready') await settleContainers(host, state)
}

/** A client that has asked Docker to make something: Docker would go on without it, unseen, so it is left to see the answer. */
function finishesByItself({ command }: Program): boolean {
  const [program = '', verb = ''] = command
  return /(^|\/)docker$/.test(program) && ['run', 'create', 'network'].includes(verb)
}

/** First asked: a run that is told to stop ends its own programs. */
async function endMaker(host: Host, { name, maker }: ClusterState, programs: Programs): Promise<void> {
  if (maker === undefined || maker.pid === process.pid) return
  const alive = async (): Promise<boolean> => (await livenessOf(maker)) === 'alive'
  if (!(await alive())) return
  host.log.info(`process ${maker.pid} still makes cluster ${name}; ending it`)
  programs.signal(maker.pid, 'SIGTERM')
  await waitFor(host, `the end of process ${maker.pid}`, alive, {
    done: (still) => !still,
    explain: () => 'it still runs',
    timeoutMs: makerMs,
    intervalMs: 100,
  }).catch(() => programs.signal(maker.pid, 'SIGKILL'))
}

/**
 * Docker lists a container only when its creation is through, which takes seconds, and does not stop creating when the client is killed. The name is taken from the
 * beginning: trying it tells whether such a container is still to come.
 */
async function settleContainers(host: Host, state: ClusterState): Promise<void> {
  const { nodeImage, containers = [] } = state
  if (nodeImage === undefined) return
  for (const container of containers) {
    if (await exists(host, container)) continue
    const label = `${clusterLabel}=${state.name}`
    const { exitCode, stderr } = await host.exec.run(
      'docker',
      ['create', '--name', container, '--label', label, nodeImage],
      {
        quiet: true,
        allowFailure: true,
        timeoutMs: programsMs,
      },
    )
    if (exitCode === 0) {
      const tried = await listContainers(host, label)
      await removeContainers(
        host,
        tried.filter((entry) => entry.name === container),
      )
    } else if (/is already in use/.test(stderr)) {
      await waitFor(host, `container ${container}, which Docker is still creating`, () => exists(host, container), {
        done: (there) => there,
        explain: () => 'not listed yet',
        timeoutMs: programsMs,
      })
    }
  }
}

async function exists(host: Host, container: string): Promise<boolean> {
  const args = ['container', 'inspect', '--format', '{{.Id}}', container]
  const { exitCode } = await host.exec.run('docker', args, { quiet: true, allowFailure: true, timeoutMs: programsMs })
  return exitCode === 0
}
