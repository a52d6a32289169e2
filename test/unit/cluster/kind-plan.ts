import { join } from 'node:path'
import type { ImageSupply } from '../../../src/cluster/image-supply.ts'
import type { KindFacts, KindPlan } from '../../../src/cluster/kind.ts'
import type { ClusterRequest } from '../../../src/cluster/provider.ts'
import type { Host } from '../../../src/process/host.ts'

export const request: ClusterRequest = {
  name: 'demo',
  nodes: [{ role: 'control-plane' }],
  extraArgs: [],
  registry: false,
  imageSource: 'registry',
  kubectlVersion: 'none',
  waitFor: [],
  timeoutMs: 60_000,
}

export const supply: ImageSupply = {
  versions: async () => ['1.36.4'],
  prepare: async () => {},
  tool: async (_host, tool) => ({ tool, path: '/opt/kind', version: '0.33.0', from: 'tool-cache' }),
  nodeImage: async () => 'kindest/node:v1.36.4',
  registryImage: async () => 'registry:3',
  network: async () => ({ name: 'kind', exists: true }),
  publish: async () => {},
  registryRunArgs: [],
  mirrors: { 'docker.io': 'https://m.example.com' },
  sealed: false,
}

export function planFor(host: Host, recorded: KindFacts[] = []): KindPlan {
  const folder = join(host.paths.temp, 'demo')
  return {
    request,
    supply,
    kubernetesVersion: '1.36.4',
    folder,
    kubeconfig: join(folder, 'kubeconfig'),
    logsPath: join(folder, 'logs'),
    deadline: host.clock.monotonic() + 60_000,
    record: async (facts) => void recorded.push(facts),
  }
}

const nodes = 'id1\tdemo-control-plane\trunning\tcontrol-plane'
export const afterwards = [
  [/^docker ps/, nodes],
  [/^docker cp /, ''],
  [/^docker network inspect/, '172.18.0.0/16\n'],
] as const
