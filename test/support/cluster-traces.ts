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
    firewallRules(),
  ])
  return [
    ...[...new Set([...nodes, ...helpers, ...named])].map((name) => `container ${name}`),
    ...networks.map((name) => `network ${name}`),
    ...rules.filter((rule) => ports.some((port) => rule.includes(`--dport ${port} `))).map((rule) => `rule ${rule}`),
  ]
}

/** Rules of iptables, without what counts packets. */
export async function firewallRules(): Promise<string[]> {
  return (await lines('iptables-save', [])).filter((line) => line.startsWith('-'))
}

/** Names of all containers of clusters, ours and others', running or not. */
export async function clusterContainers(): Promise<string[]> {
  const named = [kindClusterLabel, clusterLabel].map((label) =>
    lines('docker', ['ps', '--all', '--filter', `label=${label}`, '--format', '{{.Names}}']),
  )
  return [...new Set((await Promise.all(named)).flat())].sort()
}

/** Each container of a cluster as it is, with its full id and the time of its start: another one of that name, or one that was started anew, is told from it. */
export async function containersOf(cluster: string): Promise<string[]> {
  const listed = await Promise.all(
    [kindClusterLabel, clusterLabel].map((label) =>
      lines('docker', ['ps', '--all', '--quiet', '--no-trunc', '--filter', `label=${label}=${cluster}`]),
    ),
  )
  const ids = [...new Set(listed.flat())]
  const format = '{{.Name}} {{.Id}} {{.State.Status}} since {{.State.StartedAt}}'
  return ids.length === 0 ? [] : (await lines('docker', ['inspect', '--format', format, ...ids])).sort()
}

/** Networks of clusters, kind's and ours, that have no container. */
export async function emptyNetworks(): Promise<string[]> {
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
