import type { Host } from '../process/host.ts'
import { freeBytes, type Machine, readText, thisMachine } from './machine.ts'

/** What was measured of the engine and the machine it runs on. Every number is as found, nothing is rounded or assumed. */
export interface EngineFacts {
  /** Undefined when no engine answers; then the engine's other facts are undefined too. */
  readonly version?: string
  readonly cgroupVersion?: '1' | '2'
  readonly cgroupDriver?: string
  readonly storageDriver?: string
  readonly defaultRuntime?: string
  readonly architecture?: string
  /** Docker's data folder. */
  readonly dataRoot?: string
  /** Bytes free where images and containers go; undefined when that folder is not on this machine. */
  readonly diskFreeBytes?: number
  readonly cpus: number
  readonly memoryTotalBytes: number
  /** MemAvailable: what can be had without swapping. */
  readonly memoryAvailableBytes: number
  /** fs.inotify.max_user_instances and max_user_watches, of the host's root, whom all nodes share. */
  readonly inotifyInstances: number
  readonly inotifyWatches: number
}

interface DockerInfo {
  readonly ServerVersion?: string
  readonly CgroupVersion?: string
  readonly CgroupDriver?: string
  readonly Driver?: string
  readonly DefaultRuntime?: string
  readonly Architecture?: string
  readonly DockerRootDir?: string
}

/** Measures; changes nothing, and answers also where there is no engine. */
export async function engineFacts(host: Host, machine: Machine = thisMachine): Promise<EngineFacts> {
  const [info, memory, cpuInfo, instances, watches] = await Promise.all([
    dockerInfo(host),
    readText(machine, '/proc/meminfo'),
    readText(machine, '/proc/cpuinfo'),
    readText(machine, '/proc/sys/fs/inotify/max_user_instances'),
    readText(machine, '/proc/sys/fs/inotify/max_user_watches'),
  ])
  return {
    ...(await engineOnly(info, machine)),
    cpus: [...(cpuInfo ?? '').matchAll(/^processor\s*:/gm)].length,
    memoryTotalBytes: kibibytes(memory, 'MemTotal'),
    memoryAvailableBytes: kibibytes(memory, 'MemAvailable'),
    inotifyInstances: Number(instances ?? 0),
    inotifyWatches: Number(watches ?? 0),
  }
}

async function dockerInfo(host: Host): Promise<DockerInfo | undefined> {
  const args = ['info', '--format', '{{json .}}']
  const result = await host.exec
    .run('docker', args, { quiet: true, allowFailure: true, timeoutMs: 30_000 })
    .catch(() => undefined)
  if (result === undefined || result.stdout.trim() === '') return undefined
  const info = JSON.parse(result.stdout) as DockerInfo
  return info.ServerVersion === undefined || info.ServerVersion === '' ? undefined : info
}

async function engineOnly(info: DockerInfo | undefined, machine: Machine): Promise<Partial<EngineFacts>> {
  if (info === undefined) return {}
  const free = info.DockerRootDir === undefined ? undefined : await freeBytes(machine, info.DockerRootDir)
  const facts = {
    version: info.ServerVersion,
    cgroupVersion: info.CgroupVersion === '1' || info.CgroupVersion === '2' ? info.CgroupVersion : undefined,
    cgroupDriver: info.CgroupDriver,
    storageDriver: info.Driver,
    defaultRuntime: info.DefaultRuntime,
    architecture: info.Architecture,
    dataRoot: info.DockerRootDir,
    diskFreeBytes: free,
  }
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined))
}

function kibibytes(text: string | undefined, name: string): number {
  const value = new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(text ?? '')?.[1]
  return Number(value ?? 0) * 1024
}
