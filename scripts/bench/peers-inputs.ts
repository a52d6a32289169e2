import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { stringify } from 'yaml'
import { freeHostPorts } from '../../src/cluster/host-ports.ts'
import { kindEnv } from '../../src/cluster/kind-command.ts'
import { kindConfig } from '../../src/cluster/kind-config.ts'
import { hostsFiles } from '../../src/cluster/mirrors.ts'
import { packagesSupply } from '../../src/cluster/packages-supply.ts'
import { findHelm } from '../../src/deploy/find-programs.ts'
import { metricsServerObjects } from '../../src/platform/metrics-server-objects.ts'
import type { Host } from '../../src/process/host.ts'
import { prepareVotingAppImages } from '../../src/voting-app/image-plan.ts'
import { forEachService } from '../../src/voting-app/services.ts'
import { deploymentValues } from '../../src/voting-app/values.ts'

const voteNodePort = 30080
const resultNodePort = 30081

/** Everything that peers-way.sh finds ready, as a workflow finds it on its runner and in public registries. Resolves with its environment. */
export async function preparePeersWay(host: Host, name: string, folder: string): Promise<Record<string, string>> {
  const supply = packagesSupply()
  const [version = ''] = await supply.versions(host)
  await supply.prepare(host, version)
  const network = await supply.network(host)
  const [kind, kubectl, helm, nodeImage, registryImage] = [
    (await supply.tool(host, 'kind', '')).path,
    (await supply.tool(host, 'kubectl', '')).path,
    await findHelm(host, 'packages'),
    await supply.nodeImage(host, version),
    await supply.registryImage(host),
  ]
  const images = await prepareVotingAppImages(host, { images: 'build', imageSource: 'packages', timeoutMs: 900_000 })
  if (images.from !== 'build') throw new Error('the images of the voting app were to be built')
  const [vote = 0, result = 0, registryPort = 0] = await freeHostPorts(3)
  const registry = `127.0.0.1:${registryPort}`
  const references = await forEachService(async (service) => ({
    repository: `${registry}/voting-app/${service}`,
    tag: images.built[service].tag,
  }))
  const config = kindConfig({
    nodes: [{ role: 'control-plane' }, { role: 'worker' }, { role: 'worker' }, { role: 'worker' }],
    nodesDefaulted: false,
    hostPorts: new Map([
      [voteNodePort, vote],
      [resultNodePort, result],
    ]),
  })
  // As people write it: nodes and ports, none of our settings of the control plane's programs.
  const { kubeadmConfigPatches: _, ...plain } = config.config
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(path.join(folder, 'kind.yaml'), stringify(plain))
  await writeFile(
    path.join(folder, 'metrics-server.json'),
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: metricsServerObjects() }),
  )
  await writeFile(path.join(folder, 'values.json'), JSON.stringify(deploymentValues(references, {})))
  const files = hostsFiles({
    registry: `http://${name}-registry:5000`,
    registryPort,
    upstream: supply.mirrors,
    sealed: supply.sealed,
  })
  for (const file of files) {
    await mkdir(path.join(folder, 'certs.d', file.host), { recursive: true })
    await writeFile(path.join(folder, 'certs.d', file.host, 'hosts.toml'), file.content)
  }
  const services = Object.keys(references) as (keyof typeof references)[]
  return {
    ...kindEnv((await supply.kindEnvironment?.(host)) ?? host.env, network.name),
    NAME: name,
    FOLDER: folder,
    KIND: kind,
    KUBECTL: kubectl,
    HELM: helm,
    NODE_IMAGE: nodeImage,
    REGISTRY_IMAGE: registryImage,
    REGISTRY_STORAGE: supply.registryStorage?.(host) ?? '',
    REGISTRY_PORT: String(registryPort),
    NETWORK: network.name,
    CHART: path.join(host.paths.assets, 'charts', 'voting-app'),
    VOTE_URL: `http://127.0.0.1:${vote}`,
    APP_IMAGES: services
      .map((service) => `${images.built[service].local} ${references[service].repository}:${references[service].tag}`)
      .join('\n'),
  }
}
