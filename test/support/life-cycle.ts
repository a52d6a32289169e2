import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { inotifyFolder } from '../../src/cluster/inotify.ts'
import type { ClusterState } from '../../src/cluster/state.ts'
import { linuxPrograms } from '../../src/cluster/unfinished-work.ts'
import { cacheFolder } from '../../src/process/environment.ts'
import { firewallRules, tracesOf } from './cluster-traces.ts'
import { type JobRun, type RunnerJob, type RunningJob, startJob } from './runner.ts'

/** Where in its life a cluster is hit: at the line that the step prints as it gets there. */
export interface Phase {
  readonly name: string
  readonly step: 'Main cluster' | 'Post cluster'
  readonly line: RegExp
  /** Inputs that make the run come there. */
  readonly with?: Readonly<Record<string, string>>
}

export const phases = {
  preflight: { name: 'preflight', step: 'Main cluster', line: /^::debug::phase preflight$/ },
  recorded: { name: 'the cluster on record', step: 'Main cluster', line: /^::debug::cluster \S+ is on record$/ },
  network: { name: 'tools, node image, network', step: 'Main cluster', line: /^::debug::phase network$/ },
  registry: { name: 'the registry being started', step: 'Main cluster', line: /^::debug::phase registry$/ },
  // Two nodes, and no evidence to collect first: the removal begins while Docker is still creating.
  nodes: {
    name: 'node containers being created',
    step: 'Main cluster',
    line: /• Preparing nodes/,
    with: { workers: '1', logs: 'never' },
  },
  kubeadm: { name: 'kubeadm at work', step: 'Main cluster', line: /• Starting control-plane/ },
  kubeconfig: { name: 'the kubeconfig written', step: 'Main cluster', line: /^::debug::cluster \S+ has a kubeconfig$/ },
  readiness: { name: 'the readiness gate', step: 'Main cluster', line: /^::debug::phase dns$/ },
  // Nodes need longer than this to come up.
  evidence: {
    name: 'evidence being written',
    step: 'Main cluster',
    line: /^::debug::phase diagnostics$/,
    with: { timeout: '12s' },
  },
  teardown: {
    name: 'the removal half way',
    step: 'Post cluster',
    line: /^::debug::removing the network of cluster /,
    with: { 'wait-for': 'api' },
  },
} as const satisfies Record<string, Phase>

export type Fault = 'cancelled' | 'step killed' | 'step and its programs killed' | 'runner killed' | 'worker killed'

export const faultMeaning: Readonly<Record<Fault, string>> = {
  cancelled: 'cancelled (SIGINT, SIGTERM after 7.5 s, SIGKILL after 2.5 s)',
  'step killed': 'SIGKILL of the step alone, its programs go on',
  'step and its programs killed': 'SIGKILL of the step and of all it has started',
  'runner killed': "SIGKILL of the runner's process group, no post step runs",
  'worker killed': "SIGKILL of the runner's worker alone, the step goes on with nobody who hears it, no post step runs",
}

/** Where the built action keeps its records when nothing else is said. */
export function stateFolder({ folder }: LifeCycleHost): string {
  return path.join(folder, 'home', '.local', 'state', 'k8s-platform')
}

export interface LifeCycleHost {
  /** Of one drill: HOME, RUNNER_TEMP and the state lie in it. */
  readonly folder: string
  readonly cluster: string
  remove(): void
}

export function lifeCycleHost(cluster: string): LifeCycleHost {
  const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-life-'))
  return { folder, cluster, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** A job whose one step makes a cluster of one node, without what has nothing to do with its life cycle. */
export function clusterJob(
  host: LifeCycleHost,
  inputs: Readonly<Record<string, string>> = {},
  changes: Partial<RunnerJob> = {},
): RunningJob {
  const given = {
    'cluster-name': host.cluster,
    'image-source': 'packages',
    workers: '0',
    'kubectl-version': 'none',
    ...inputs,
  }
  return startJob({
    folder: host.folder,
    name: 'life',
    runId: '4711',
    steps: [{ id: 'cluster', uses: 'setup-cluster', with: given }],
    ...changes,
    env: { K8S_PLATFORM_CACHE_DIR: cacheFolder(process.env), ...changes.env },
  })
}

/** Waits for the phase, looks if told to, then does it. Resolves with the job's run, or with undefined where the runner is dead. */
export async function strike(
  job: RunningJob,
  phase: Phase,
  fault: Fault,
  look: () => void = () => {},
): Promise<JobRun | undefined> {
  await job.line(phase.step, phase.line)
  look()
  if (fault === 'runner killed') {
    await job.killWorker('group')
    return undefined
  }
  if (fault === 'worker killed') {
    await job.killWorker('alone')
    return undefined
  }
  if (fault === 'cancelled') job.cancel()
  else {
    const pid = job.pid(phase.step)
    const all = fault === 'step killed' ? [pid] : [pid, ...descendants(pid)]
    for (const one of all) {
      try {
        process.kill(one, 'SIGKILL')
      } catch {
        // It has just ended.
      }
    }
  }
  return await job.done
}

/** What a cluster's record tells of a moment. */
export interface RecordAtStrike {
  /** Whether it names a network, which is made before it is recorded. */
  readonly network: boolean
  /** Host ports that were published, or were about to be. */
  readonly ports: readonly string[]
}

/** undefined where there is no record. */
export function recordOf({ cluster }: Pick<LifeCycleHost, 'cluster'>, folder: string): RecordAtStrike | undefined {
  try {
    const text = readFileSync(path.join(folder, `${cluster}.json`), 'utf8')
    const { network, registry, hostPorts } = JSON.parse(text) as Partial<ClusterState>
    const published = Object.values(hostPorts ?? {}).map((address) => address.split(':').at(-1) ?? '')
    return {
      network: network !== undefined,
      ports: registry === undefined ? published : [...published, String(registry.port)],
    }
  } catch {
    return undefined
  }
}

function descendants(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        return [{ pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) }]
      } catch {
        return []
      }
    })
  const below = (of: number): number[] =>
    parents.filter((entry) => entry.parent === of).flatMap((entry) => [entry.pid, ...below(entry.pid)])
  return below(pid)
}

/** What a host has beside clusters that somebody else may have on it. */
export interface Surroundings {
  readonly limits: readonly string[]
  readonly volumes: readonly string[]
  /** All of iptables, where no other cluster is there that could change it. */
  readonly rules?: readonly string[]
}

export async function surroundings(options: { readonly alone?: boolean } = {}): Promise<Surroundings> {
  const { stdout } = await run('docker', ['volume', 'ls', '--quiet', '--filter', 'dangling=true'])
  return {
    limits: presentLimits(),
    volumes: stdout.split('\n').filter((line) => line !== ''),
    ...(options.alone === true ? { rules: await firewallRules() } : {}),
  }
}

/** As they are now: `max_user_instances 128`. */
export function presentLimits(): string[] {
  return readdirSync(inotifyFolder).map(
    (name) => `${name} ${readFileSync(path.join(inotifyFolder, name), 'utf8').trim()}`,
  )
}

/**
 * What is left of the cluster: containers, networks, rules, volumes nobody uses, programs, records, temporary files, changed limits. Empty when all is gone. Network, seal and
 * limits can be left only where no other cluster has a use for them (lone-host.ts).
 * @param ports host ports that the cluster had published.
 */
export async function leftOf(
  host: Pick<LifeCycleHost, 'folder' | 'cluster'>,
  before: Surroundings,
  ports: readonly string[] = [],
): Promise<string[]> {
  const { rules } = before
  const now = await surroundings({ alone: rules !== undefined })
  const programs = await linuxPrograms.making(host.cluster)
  const changedRules = rules === undefined ? [] : (now.rules ?? []).filter((rule) => !rules.includes(rule))
  return [
    ...new Set([...(await tracesOf(host.cluster, ports)), ...changedRules.map((rule) => `rule ${rule}`)]),
    ...(await sealWithoutNetwork()),
    ...now.volumes.filter((name) => !before.volumes.includes(name)).map((name) => `volume ${name}`),
    ...now.limits.filter((line) => !before.limits.includes(line)).map((line) => `limit ${line}`),
    ...programs.map(({ pid, command }) => `process ${pid} ${command.slice(0, 3).join(' ')}`),
    ...['temp', 'tmp'].flatMap((part) => below(path.join(host.folder, part))).map((file) => `temporary ${file}`),
    ...below(path.join(host.folder, 'home'))
      // Go's own counters, where an image was compiled first.
      .filter((file) => !file.includes('/.config/go/telemetry/'))
      .map((file) => `home ${file}`),
  ]
}

/** The seal belongs to its network; alone it is left over. */
export async function sealWithoutNetwork(): Promise<string[]> {
  const [tables, networks] = await Promise.all([
    run('nft', ['list', 'tables']),
    run('docker', ['network', 'ls', '--format', '{{.Name}}']),
  ])
  const sealed = tables.stdout.includes('k8s_platform_seal')
  return sealed && !networks.stdout.split('\n').includes('k8s-platform') ? ['rules of the seal'] : []
}

function below(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.join(entry.parentPath, entry.name))
}

const run = promisify(execFile)
