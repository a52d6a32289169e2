import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setupCluster } from '../../src/cluster/create-cluster.ts'
import { currentOwner } from '../../src/cluster/owner.ts'
import type { ClusterRequest } from '../../src/cluster/provider.ts'
import { teardownCluster } from '../../src/cluster/teardown.ts'
import { cacheFolder } from '../../src/process/environment.ts'
import type { Host } from '../../src/process/host.ts'
import type { Logger } from '../../src/process/log.ts'
import { leftOf, type Surroundings, surroundings } from './life-cycle.ts'
import { type FaultRow, type Finding, mended, proveFault } from './prove-fault.ts'
import { recordingLogger, testHost } from './test-host.ts'

/** What a drill may use and change before the creation begins. */
export interface CreationDrill {
  readonly name: string
  /** Of the drill alone; the cluster's own folder and the state are in it. */
  readonly folder: string
  request: ClusterRequest
  env: Record<string, string>
  /** Runs once, when the log first has the text. */
  when(text: string, act: () => void): void
  docker(...args: string[]): string
  /** Runs after the drill, whatever came of it, and before the cluster is removed. */
  after(undo: () => unknown): void
  /** Runs when the cluster is gone: a disk goes after what lies on it. */
  afterRemoval(undo: () => unknown): void
}

/** Plants a fault, has `look` create the cluster and say what it saw, and leaves the host as it was. */
export function proveCreation(
  row: FaultRow,
  plant: (drill: CreationDrill) => void | Promise<void>,
  look: (host: Host, drill: CreationDrill) => Promise<Finding>,
): Promise<void> {
  return mended(row, (mend) =>
    proveFault(row, async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'creation-'))
      mend(async () => rmSync(folder, { recursive: true, force: true }))
      const disks: (() => unknown)[] = []
      mend(async () => disks.reverse().map((undo) => undo()))
      const triggers: Trigger[] = []
      const drill: CreationDrill = {
        name: 'culprit',
        folder,
        request: request(),
        env: { ...(process.env as Record<string, string>) },
        when: (text, act) => void triggers.push({ text, act }),
        docker: (...args) => execFileSync('docker', args, { encoding: 'utf8' }),
        after: (undo) => mend(async () => undo()),
        afterRemoval: (undo) => void disks.push(undo),
      }
      const before = await surroundings()
      mend(() => remove(drill, before))
      await plant(drill)
      return look(testHost({ log: watched(triggers), env: drill.env, paths: pathsOf(drill) }), drill)
    }),
  )
}

interface Trigger {
  readonly text: string
  readonly act: () => void
}

/** A log that acts when it first has a trigger's text. */
function watched(triggers: Trigger[]): Logger {
  const log = recordingLogger()
  const { info, debug } = log
  const look = (line: string): void => {
    const index = triggers.findIndex(({ text }) => line.includes(text))
    if (index !== -1) triggers.splice(index, 1)[0]?.act()
  }
  log.info = (line) => {
    look(line)
    info(line)
  }
  log.debug = (line) => {
    look(line)
    debug(line)
  }
  return log
}

/** The drill's own disk, where it has one. */
function ownFolder(drill: CreationDrill): string {
  return drill.env['DRILL_FOLDER'] ?? drill.folder
}

function pathsOf(drill: CreationDrill): Host['paths'] {
  const own = ownFolder(drill)
  return { ...testHost().paths, cache: cacheFolder(process.env), state: path.join(own, 'state'), temp: own }
}

async function remove(drill: CreationDrill, before: Surroundings): Promise<void> {
  const cleaner = testHost({ env: process.env as Record<string, string>, paths: pathsOf(drill) })
  await teardownCluster(cleaner, drill.name)
  const left = await leftOf({ folder: drill.folder, cluster: drill.name }, before)
  if (left.length > 0) throw new Error(`the removal has left ${left.join(', ')}`)
}

export async function create(host: Host, drill: CreationDrill): Promise<{ readonly attempts: number }> {
  const owner = await currentOwner({ pid: process.pid, kind: 'person' })
  return await setupCluster(host, drill.request, {
    owner,
    machine: process,
    folder: path.join(ownFolder(drill), 'cluster'),
  })
}

/** Long enough for two nodes on a busy machine, short enough for a drill that only the deadline ends. */
export const creationMs = 100_000

function request(): ClusterRequest {
  return {
    name: 'culprit',
    nodes: [{ role: 'control-plane' }, { role: 'worker' }],
    extraArgs: [],
    registry: true,
    imageSource: 'packages',
    kubectlVersion: 'none',
    waitFor: ['api', 'nodes', 'system'],
    timeoutMs: creationMs,
  }
}
