import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect } from 'vitest'
import { setupCluster } from '../../src/cluster/create-cluster.ts'
import { freeHostPorts } from '../../src/cluster/host-ports.ts'
import { currentOwner } from '../../src/cluster/owner.ts'
import type { ClusterRequest } from '../../src/cluster/provider.ts'
import { readState } from '../../src/cluster/state.ts'
import { teardownCluster } from '../../src/cluster/teardown.ts'
import { cacheFolder } from '../../src/process/environment.ts'
import { ToolkitError } from '../../src/process/errors.ts'
import type { Host } from '../../src/process/host.ts'
import { formatSeconds } from '../../src/process/wait.ts'
import { recordFault } from './fault-results.ts'
import { recordingLogger, testHost } from './test-host.ts'

/** What a drill may use and change before the creation begins. */
interface Drill {
  readonly name: string
  /** Of the drill alone; the cluster's own folder and the state are in it. */
  readonly folder: string
  request: ClusterRequest
  env: Record<string, string>
  /** Runs once, when the log first has the text. */
  when(text: string, act: () => void): void
  docker(...args: string[]): string
  /** Runs after the drill, whatever came of it. */
  after(undo: () => void | Promise<void>): void
}

export interface CreationFault {
  readonly fault: string
  readonly code: string
  /** First line of the one error. */
  readonly line: RegExp
  /** What a person is told to do. */
  readonly next: RegExp
  /** For failures that are known to be final: seconds after which it must have ended, far below the deadline. */
  readonly withinSeconds?: number
  readonly plant: (drill: Drill) => void | Promise<void>
}

/** Long enough for two nodes on a busy machine, short enough for a drill that only the deadline ends. */
const timeoutMs = 100_000
/** After the deadline evidence is collected, and kind is ended. */
const evidenceMs = 90_000

/** kind prints it once the containers run, before anything of Kubernetes does. */
const nodesUp = '✓ Preparing nodes'

function onNodes(drill: Drill, act: () => void): void {
  drill.when(nodesUp, act)
}

/** The table: committed before the run that fills docs/reliability.md. `culprit` is the cluster's name in each row. */
export const creationFaults: readonly CreationFault[] = [
  {
    fault: 'a worker whose kubelet cannot be started: the node never joins',
    code: 'NODE_NOT_JOINED',
    line: /^node culprit-worker (cannot come up: its kubelet is|of 2 never joined)/,
    next: /docker exec culprit-worker journalctl -u kubelet/,
    plant: (drill) =>
      onNodes(drill, () => drill.docker('exec', 'culprit-worker', 'mv', '/usr/bin/kubelet', '/usr/bin/kubelet.gone')),
  },
  {
    fault: 'the pod network’s DaemonSet names an image that does not exist',
    code: 'NETWORK_NOT_READY',
    line: /^the pod network has not started on \d of 2 nodes, culprit-\S+ for one: DaemonSet kube-system\/node-network: pod \S+: .*(ErrImagePull|ImagePullBackOff).*not found/,
    next: /kubectl -n kube-system describe daemonset node-network/,
    withinSeconds: 90,
    plant: (drill) => breakNetwork(drill, 's#image: .*#image: docker.io/library/missing:1#'),
  },
  {
    fault: 'the pod network’s DaemonSet crashes on start',
    code: 'NETWORK_NOT_READY',
    line: /^the pod network has not started on 2 of 2 nodes, .*DaemonSet kube-system\/node-network: pod \S+: /,
    next: /kubectl -n kube-system describe daemonset node-network/,
    plant: (drill) => breakNetwork(drill, 's#image: .*#image: docker.io/library/busybox:1.35#'),
  },
  {
    fault: 'CoreDNS has an image tag that no registry has (by the user’s kind config)',
    code: 'IMAGE_NOT_FOUND',
    line: /^image \S*coredns:v0\.0\.0-missing cannot be pulled, so pod kube-system\/coredns-\S+ does not start: .*not found/,
    next: /Correct its name or tag/,
    withinSeconds: 90,
    plant: (drill) =>
      config(drill, {
        kubeadmConfigPatches: ['kind: ClusterConfiguration\ndns:\n  imageTag: v0.0.0-missing\n'],
        nodes: [{ role: 'control-plane' }, { role: 'worker' }],
      }),
  },
  {
    fault: 'a worker’s /var/lib/kubelet is a full disk',
    code: 'DISK_FULL',
    line: /^the disk of node culprit-worker at \/var\/lib\/kubelet is full: 0\.\d of 1 MiB free/,
    next: /docker exec culprit-worker df -h/,
    withinSeconds: 90,
    plant(drill) {
      const disk = fullDisk(drill, 'kubelet')
      config(drill, {
        nodes: [
          { role: 'control-plane' },
          { role: 'worker', extraMounts: [{ hostPath: disk, containerPath: '/var/lib/kubelet' }] },
        ],
      })
    },
  },
  {
    fault: 'the kubelets see too little disk (eviction threshold in the user’s kind config)',
    code: 'NODE_PRESSURE',
    line: /^node culprit-\S+ has DiskPressure, so its kubelet starts no pods: .*\(\/var\S*: [\d.]+ of \d+ MiB free\)/,
    next: /eviction thresholds/,
    plant: (drill) =>
      config(drill, {
        kubeadmConfigPatches: ['kind: KubeletConfiguration\nevictionHard:\n  nodefs.available: "99.9%"\n'],
        nodes: [{ role: 'control-plane' }, { role: 'worker' }],
      }),
  },
  {
    fault: 'the host’s disk fills up while the nodes boot',
    code: 'DISK_FULL',
    line: /^the disk of \S+ on this host is full: 0\.0 of 2 MiB free/,
    next: /df -h/,
    plant(drill) {
      const disk = mountedDisk(drill, 'host', 2)
      drill.env['DRILL_FOLDER'] = disk
      onNodes(drill, () => fill(disk))
      // As the person is told: without any room not even a lock can be taken, and the record stays for the next try.
      drill.after(() => rmSync(path.join(disk, 'filler')))
    },
  },
  {
    fault: 'the host’s disk is full from the beginning',
    code: 'DISK_FULL',
    line: /^the disk of \S+ on this host is full: 0\.0 of 2 MiB free/,
    next: /df -h/,
    withinSeconds: 20,
    plant(drill) {
      const disk = mountedDisk(drill, 'host', 2)
      drill.env['DRILL_FOLDER'] = disk
      fill(disk)
    },
  },
  {
    fault: 'registry-port is taken by another process',
    code: 'PREFLIGHT_FAILED',
    line: new RegExp(
      `^registry-port \\(got "\\d+"\\) is taken on 127\\.0\\.0\\.1 by \\S+ \\(process ${process.pid}\\)`,
    ),
    next: /a free port, or none to have one chosen/,
    withinSeconds: 20,
    async plant(drill) {
      drill.request = { ...drill.request, registryPort: await takePort(drill) }
    },
  },
  {
    fault: 'a host port of the user’s kind config is taken',
    code: 'PREFLIGHT_FAILED',
    line: new RegExp(
      `^config\\.nodes\\[0\\]\\.extraPortMappings\\[0\\]\\.hostPort \\(got "\\d+"\\) is taken on 127\\.0\\.0\\.1 by \\S+ \\(process ${process.pid}\\)`,
    ),
    next: /a free port/,
    withinSeconds: 20,
    async plant(drill) {
      mapPort(drill, await takePort(drill))
    },
  },
  {
    fault: 'a host port of the user’s kind config is taken after the preflight',
    code: 'PORT_TAKEN',
    line: new RegExp(`^port \\d+ of this host is taken by \\S+ \\(process ${process.pid}\\)`),
    next: /ss -ltnp sport = :\d+/,
    withinSeconds: 60,
    async plant(drill) {
      const [port = 0] = await freeHostPorts(1)
      mapPort(drill, port)
      drill.when('node image k8s-platform', () => void takePort(drill, port))
    },
  },
  {
    fault: 'no Docker engine answers',
    code: 'PREFLIGHT_FAILED',
    line: /^docker \(got "no answer"\)/,
    next: /start Docker/,
    withinSeconds: 20,
    plant(drill) {
      drill.env['DOCKER_HOST'] = `unix://${path.join(drill.folder, 'nobody.sock')}`
    },
  },
  {
    fault: 'the Docker engine goes away while the nodes boot',
    code: 'DOCKER_LOST',
    line: /^the Docker engine stopped answering: .*Cannot connect to the Docker daemon at unix:\/\//,
    next: /journalctl -u docker/,
    withinSeconds: 90,
    async plant(drill) {
      const socket = path.join(drill.folder, 'd.sock')
      const close = await relay(socket, '/var/run/docker.sock')
      drill.after(close)
      drill.env['DOCKER_HOST'] = `unix://${socket}`
      onNodes(drill, () => void close())
    },
  },
  {
    fault: 'the local registry is killed while the nodes boot',
    code: 'REGISTRY_LOST',
    line: /^the local registry, container culprit-registry, is exited \(exit code 137\)/,
    next: /docker logs --tail 50 culprit-registry/,
    plant: (drill) => onNodes(drill, () => drill.docker('kill', 'culprit-registry')),
  },
  {
    fault: 'the local registry is removed while the nodes boot',
    code: 'REGISTRY_LOST',
    line: /^the local registry, container culprit-registry, is gone/,
    next: /clean-up job/,
    plant: (drill) => onNodes(drill, () => drill.docker('rm', '--force', 'culprit-registry')),
  },
  {
    fault: 'the container of a worker is killed while the nodes boot',
    code: 'NODE_STOPPED',
    line: /^the container of node culprit-worker is exited \(exit code 137\)/,
    next: /docker logs --tail 50 culprit-worker/,
    plant: (drill) => onNodes(drill, () => drill.docker('kill', 'culprit-worker')),
  },
  {
    fault: 'Docker refuses a node for a reason nobody knows: no second try',
    code: 'CLUSTER_CREATE_FAILED',
    line: /^cluster culprit could not be created: command "docker run/,
    next: /journals are under/,
    withinSeconds: 60,
    plant: (drill) => void refuseNodes(drill, 'docker: Error response from daemon: something new 4711.', 99),
  },
]

/**
 * Plants one fault in a real creation of one control plane and one worker, and records what was told. Expects the one error with its code, its first line and its way out, in
 * time, and that the state can be read and everything removed afterwards.
 */
export async function runCreationFault(entry: CreationFault, deadlineMs = timeoutMs): Promise<void> {
  await withDrill(entry.plant, async (host, drill) => {
    drill.request = { ...drill.request, timeoutMs: deadlineMs }
    const started = performance.now()
    const error: unknown = await create(host, drill).then(
      () => new Error('the cluster was made'),
      (reason: unknown) => reason,
    )
    const seconds = (performance.now() - started) / 1_000
    const known = error instanceof ToolkitError ? error : undefined
    const [first = ''] = String(known?.message ?? error).split('\n')
    const told = `${known?.message}\n${known?.hint ?? ''}`
    const limit = entry.withinSeconds ?? (deadlineMs + evidenceMs) / 1_000
    const held = known?.code === entry.code && entry.line.test(first) && entry.next.test(told) && seconds <= limit
    recordFault({
      section: 'creation',
      fault: entry.fault,
      expected: `${entry.code} within ${limit} s, its first line ${plain(String(entry.line))}, then ${entry.next}`,
      seen: `${known?.code ?? 'no known error'} after ${formatSeconds(seconds * 1_000)}: ${plain(first.replaceAll(drill.folder, '<folder>'))}`,
      held,
    })
    const seen = `after ${seconds.toFixed(1)} s: ${told}\n${known?.diagnostics.join('\n')}`
    expect(known?.code, seen).toBe(entry.code)
    expect(first, seen).toMatch(entry.line)
    expect(told).toMatch(entry.next)
    expect(seconds).toBeLessThanOrEqual(limit)
    // Whatever happened: the record is whole or was never made.
    const record = await readState(host, drill.name)
    if (record !== undefined) expect(record.name).toBe(drill.name)
  })
}

/** The table is the same whoever runs it. */
function plain(text: string): string {
  return text.replaceAll(String(process.pid), '<pid>')
}

/** A first try that fails as Docker fails when a port was taken meanwhile: the second one makes the cluster, and the first one's logs are kept. */
export async function runTransientRetry(): Promise<void> {
  const fault = 'Docker cannot bind a port that was free a moment before, once'
  await withDrill(
    (drill) => {
      drill.request = { ...drill.request, nodes: [{ role: 'control-plane' }] }
      refuseNodes(
        drill,
        'docker: Error response from daemon: driver failed programming external connectivity on endpoint x (0a1b): Bind for 127.0.0.1:PORT failed: port is already allocated.',
        1,
      )
    },
    async (host, drill) => {
      const result = await create(host, drill).catch((error: unknown) => error)
      const attempts = (result as { attempts?: number }).attempts
      const folder = path.join(drill.folder, 'cluster', 'logs', 'attempt-1')
      const log = existsSync(path.join(folder, 'kind.log')) ? readFileSync(path.join(folder, 'kind.log'), 'utf8') : ''
      const kept = log.includes('port is already allocated')
      recordFault({
        section: 'creation',
        fault,
        expected: 'a cluster at the second try, the first one’s logs under logs-path/attempt-1',
        seen:
          attempts === undefined ? String(result) : `a cluster at try ${attempts}, logs ${kept ? 'kept' : 'missing'}`,
        held: attempts === 2 && kept,
      })
      expect(attempts, String(result)).toBe(2)
      expect(kept, log).toBe(true)
    },
  )
}

async function withDrill(
  plant: CreationFault['plant'],
  judge: (host: Host, drill: Drill) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'creation-'))
  const undos: (() => void | Promise<void>)[] = []
  const triggers: { readonly text: string; readonly act: () => void }[] = []
  const drill: Drill = {
    name: 'culprit',
    folder,
    request: request(),
    env: { ...(process.env as Record<string, string>) },
    when: (text, act) => void triggers.push({ text, act }),
    docker: (...args) => execFileSync('docker', args, { encoding: 'utf8' }),
    after: (undo) => void undos.push(undo),
  }
  const log = recordingLogger()
  const look = (line: string): void => {
    const index = triggers.findIndex(({ text }) => line.includes(text))
    if (index !== -1) triggers.splice(index, 1)[0]?.act()
  }
  const info = log.info
  const debug = log.debug
  log.info = (line) => {
    look(line)
    info(line)
  }
  log.debug = (line) => {
    look(line)
    debug(line)
  }
  try {
    await plant(drill)
    const own = drill.env['DRILL_FOLDER'] ?? folder
    const paths = { ...testHost().paths, cache: cacheFolder(process.env), state: path.join(own, 'state'), temp: own }
    const host = testHost({ log, env: drill.env, paths })
    try {
      await judge(host, drill)
    } finally {
      const cleaner = testHost({ env: process.env as Record<string, string>, paths })
      for (const undo of undos.splice(0).reverse()) await undo()
      await teardownCluster(cleaner, drill.name)
      expect(drill.docker('ps', '--all', '--quiet', '--filter', 'name=^culprit-')).toBe('')
    }
  } finally {
    for (const undo of undos.splice(0).reverse()) await undo()
    for (const undo of mounts.splice(0).reverse()) undo()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Disks go last: what lies on them is removed before. */
const mounts: (() => void)[] = []

async function create(host: Host, drill: Drill): Promise<{ readonly attempts: number }> {
  const owner = await currentOwner({ pid: process.pid, kind: 'person' })
  return await setupCluster(host, drill.request, {
    owner,
    machine: process,
    folder: path.join(drill.env['DRILL_FOLDER'] ?? drill.folder, 'cluster'),
  })
}

function request(): ClusterRequest {
  return {
    name: 'culprit',
    nodes: [{ role: 'control-plane' }, { role: 'worker' }],
    extraArgs: [],
    registry: true,
    imageSource: 'packages',
    kubectlVersion: 'none',
    waitFor: ['api', 'nodes', 'system'],
    timeoutMs,
  }
}

function config(drill: Drill, text: object): void {
  const file = path.join(drill.folder, 'kind.yaml')
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4', ...text }))
  drill.request = { ...drill.request, config: file, nodesDefaulted: true }
}

function mapPort(drill: Drill, port: number): void {
  const mapping = { containerPort: 30_100, hostPort: port, listenAddress: '127.0.0.1' }
  config(drill, { nodes: [{ role: 'control-plane', extraPortMappings: [mapping] }] })
}

function breakNetwork(drill: Drill, edit: string): void {
  onNodes(drill, () =>
    drill.docker('exec', 'culprit-control-plane', 'sed', '-i', edit, '/kind/manifests/default-cni.yaml'),
  )
}

async function takePort(drill: Drill, port = 0): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  drill.after(() => closed(server))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** A disk of its own, a few MiB in memory; really full when it is full. */
function mountedDisk(drill: Drill, name: string, mebibytes: number): string {
  const folder = path.join(drill.folder, name)
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder])
  mounts.push(() => execFileSync('umount', ['--lazy', folder]))
  return folder
}

function fullDisk(drill: Drill, name: string): string {
  const folder = mountedDisk(drill, name, 1)
  fill(folder)
  return folder
}

function fill(folder: string): void {
  try {
    writeFileSync(path.join(folder, 'filler'), Buffer.alloc(64 * 1024 * 1024))
  } catch {
    // Full, as it was meant to be.
  }
}

/** A `docker` before the real one that refuses the first nodes, in Docker's words; `PORT` is the port asked for. */
function refuseNodes(drill: Drill, message: string, times: number): void {
  const folder = path.join(drill.folder, 'bin')
  mkdirSync(folder)
  const real = execFileSync('which', ['docker'], { encoding: 'utf8' }).trim()
  writeFileSync(
    path.join(folder, 'docker'),
    `#!/bin/sh
case "$*" in
run*io.x-k8s.kind.cluster*)
  count=$(cat '${folder}/count' 2>/dev/null || echo 0)
  if [ "$count" -lt ${times} ]; then
    echo $((count + 1)) > '${folder}/count'
    port=$(printf '%s\\n' "$@" | sed -n 's/^--publish=127.0.0.1:\\([0-9]*\\):.*/\\1/p' | head -n 1)
    echo '${message}' | sed "s/PORT/$port/" >&2
    exit 125
  fi;;
esac
exec '${real}' "$@"
`,
    { mode: 0o755 },
  )
  drill.env['PATH'] = `${folder}:${drill.env['PATH']}`
}

/** A socket that stands for the engine's and can be taken away. */
async function relay(socket: string, target: string): Promise<() => Promise<void>> {
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const engine = connect(target)
    for (const end of [client, engine]) {
      open.add(end)
      end.on('error', () => {})
      end.on('close', () => {
        open.delete(end)
        client.destroy()
        engine.destroy()
      })
    }
    client.pipe(engine)
    engine.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return async () => {
    const done = closed(server)
    for (const end of open) end.destroy()
    await done
  }
}
