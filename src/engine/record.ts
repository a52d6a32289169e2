import { join } from 'node:path'
import type { Host } from '../process/host.ts'
import type { FirewallSnapshot } from './firewall.ts'
import { type Machine, type ProcessIdentity, readText, remove, writeText } from './machine.ts'

/**
 * What was done to the machine for an engine, written before it is done. Whoever removes the engine undoes exactly this. The cluster files are
 * `<state>/<cluster>.json`; this lies one folder deeper so that a cluster may be called anything.
 */
export interface EngineRecord {
  readonly version: 1
  /** Packages that apt was about to install and that were not there before, in apt's order. Empty: the engine's files are the user's. */
  readonly packages: readonly string[]
  /** Paths from {@link enginePaths} that did not exist before, so that whatever lies there now is the engine's. */
  readonly created: readonly string[]
  /** True when the group `docker` did not exist before. */
  readonly createdGroup: boolean
  /** The runtime wrapper, where one is needed. */
  readonly runtimeWrapper?: string
  /** The dockerd that was started by hand; absent while none was, and where systemd runs it. */
  readonly daemon?: ProcessIdentity
  /** Kernel settings as they were: starting dockerd turns on forwarding. */
  readonly sysctls: Readonly<Record<string, string>>
  /** iptables as it was before dockerd. */
  readonly firewall: FirewallSnapshot
}

/** Places that dockerd and its packages write to. */
export const enginePaths = [
  '/etc/docker',
  '/etc/docker/key.json',
  '/etc/containerd',
  '/var/lib/docker',
  '/var/lib/containerd',
  '/var/lib/dockershim',
  '/opt/containerd',
  '/run/docker',
  '/run/containerd',
  '/run/docker.sock',
  '/run/docker.pid',
  '/run/xtables.lock',
  '/run/adduser',
] as const

/** Kernel settings that dockerd changes. */
export const engineSysctls = [
  'net/ipv4/ip_forward',
  'net/ipv6/conf/all/forwarding',
  'net/ipv6/conf/default/forwarding',
  'net/bridge/bridge-nf-call-iptables',
  'net/bridge/bridge-nf-call-ip6tables',
] as const

/** The folder of everything about the engine that outlives a run. */
export function engineFolder(host: Pick<Host, 'paths'>): string {
  return join(host.paths.state, 'engine')
}

function recordFile(host: Pick<Host, 'paths'>): string {
  return join(engineFolder(host), 'engine.json')
}

/** The record, or undefined when nothing was ever done here. */
export async function readRecord(host: Pick<Host, 'paths'>, machine: Machine): Promise<EngineRecord | undefined> {
  const text = await readText(machine, recordFile(host))
  return text === undefined ? undefined : (JSON.parse(text) as EngineRecord)
}

export async function writeRecord(
  host: Pick<Host, 'paths'>,
  machine: Machine,
  record: EngineRecord,
): Promise<EngineRecord> {
  await writeText(machine, recordFile(host), `${JSON.stringify(record, null, 2)}\n`, 0o600)
  return record
}

export async function removeRecord(host: Pick<Host, 'paths'>, machine: Machine): Promise<void> {
  await remove(machine, engineFolder(host))
}
