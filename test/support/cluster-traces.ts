import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { clusterLabel, kindClusterLabel } from '../../src/cluster/docker.ts'

const run = promisify(execFile)

/**
 * What a host still has of one cluster: containers, networks with nobody else on them, firewall rules for its published ports. Empty when it is gone. Other clusters may
 * come and go meanwhile, so unlike a comparison of the whole host it can be asked at any time.
 * @param ports host ports that the cluster had published.
 */
export async function tracesOf(cluster: string, ports: readonly string[] = []): Promise<string[]> {
  const [nodes, helpers, named, networks, rules] = await Promise.all([
    lines('docker', ['ps', '--all', '--filter', `label=${kindClusterLabel}=${cluster}`, '--format', '{{.Names}}']),
    lines('docker', ['ps', '--all', '--filter', `label=${clusterLabel}=${cluster}`, '--format', '{{.Names}}']),
    lines('docker', ['ps', '--all', '--filter', `name=^${cluster}-`, '--format', '{{.Names}}']),
    emptyNetworks(),
    lines('iptables-save', []),
  ])
  return [
    ...[...new Set([...nodes, ...helpers, ...named])].map((name) => `container ${name}`),
    ...networks.map((name) => `network ${name}`),
    ...rules.filter((rule) => ports.some((port) => rule.includes(`--dport ${port} `))).map((rule) => `rule ${rule}`),
  ]
}

/** Networks of clusters, kind's and ours, that have no container. */
async function emptyNetworks(): Promise<string[]> {
  const present = await lines('docker', ['network', 'ls', '--format', '{{.Name}}'])
  const ours = present.filter((name) => name === 'kind' || name === 'k8s-platform')
  const used = await Promise.all(
    ours.map((name) => lines('docker', ['ps', '--all', '--quiet', '--filter', `network=${name}`])),
  )
  return ours.filter((_, index) => used[index]?.length === 0)
}

async function lines(command: string, args: readonly string[]): Promise<string[]> {
  const { stdout } = await run(command, [...args], { maxBuffer: 16 * 1024 * 1024 })
  return stdout.split('\n').filter((line) => line !== '')
}
