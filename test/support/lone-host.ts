import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { inotifyFolder, wantedLimits } from '../../src/cluster/inotify.ts'
import { sealedNetwork } from '../../src/engine/network.ts'
import type { SharedCluster } from '../e2e/global-setup.ts'
import { runCli } from './cli.ts'
import { clusterContainers, emptyNetworks } from './cluster-traces.ts'
import { sealWithoutNetwork } from './life-cycle.ts'

/**
 * Clusters share their network, its seal and the raised limits: the first one makes them, the last one removes them. So only on a host without any cluster can a run be struck
 * while it makes or removes them, and only there can they be left behind.
 *
 * Takes the shared cluster of the tests down, if there is one, and sees to it that limits have to be raised. Resolves with what puts the limits back.
 *
 * @throws Error where there are other clusters, or leftovers of some: drills would show nothing there
 */
export async function makeLoneHost(shared: SharedCluster | undefined): Promise<() => void> {
  if (shared !== undefined) {
    const down = await runCli(['down', '--cluster-name', shared.name], {
      env: { K8S_PLATFORM_STATE_DIR: shared.stateFolder },
    })
    if (down.code !== 0) throw new Error(`cluster ${shared.name} was not taken down:\n${down.log.slice(-4_000)}`)
  }
  const present = [
    ...(await clusterContainers()).map((name) => `container ${name}`),
    ...(await emptyNetworks()).map((name) => `network ${name}`),
    ...(await sealWithoutNetwork()),
  ]
  if (present.length > 0)
    throw new Error(`this needs a host with no cluster and nothing left of one; there are ${present.join(', ')}`)
  return lowerLimits()
}

/** One below what clusters want, where the host has that much already: enough for them to be raised, and nobody else on the host misses it. */
export function lowerLimits(folder = inotifyFolder): () => void {
  const lowered = Object.entries(wantedLimits).flatMap(([name, wanted]) => {
    const file = path.join(folder, name)
    const before = Number(readFileSync(file, 'utf8'))
    if (before < wanted) return []
    writeFileSync(file, `${wanted - 1}\n`)
    return [{ file, before }]
  })
  return () => {
    for (const { file, before } of lowered) writeFileSync(file, `${before}\n`)
  }
}

/** Leaves something behind; resolves with what takes it away. */
type Plant = () => Promise<() => Promise<unknown>>

/** One of each thing that only the last cluster of a host removes, and how it is told that it is left. */
export const plantedLeftovers: readonly { readonly what: string; readonly plant: Plant; readonly told: RegExp }[] = [
  {
    what: 'the network',
    plant: async () => {
      await run('docker', ['network', 'create', sealedNetwork])
      return () => run('docker', ['network', 'rm', sealedNetwork])
    },
    told: /^network k8s-platform$/,
  },
  {
    what: 'the seal',
    plant: async () => {
      await run('nft', ['add', 'table', 'inet', 'k8s_platform_seal'])
      return () => run('nft', ['delete', 'table', 'inet', 'k8s_platform_seal'])
    },
    told: /^rules of the seal$/,
  },
  {
    what: 'a raised limit',
    plant: async () => {
      const file = path.join(inotifyFolder, 'max_user_instances')
      const before = readFileSync(file, 'utf8')
      writeFileSync(file, `${wantedLimits['max_user_instances']}\n`)
      return async () => writeFileSync(file, before)
    },
    told: /^limit max_user_instances \d+$/,
  },
  {
    what: 'the rule of a published port',
    plant: async () => {
      await run('iptables', ['--table', 'nat', '--append', ...portRule])
      return () => run('iptables', ['--table', 'nat', '--delete', ...portRule])
    },
    told: /^rule -A OUTPUT .* --dport 65001 /,
  },
]

/** It changes nothing: nobody is asked for on that port. */
const portRule = [
  'OUTPUT',
  '--destination',
  '127.0.0.1/32',
  '--protocol',
  'tcp',
  '--dport',
  '65001',
  '--jump',
  'RETURN',
]

const run = promisify(execFile)
