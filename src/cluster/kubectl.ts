import type { Host } from '../process/host.ts'
import type { FoundTool } from '../tools/find-tool.ts'
import { pinnedTools } from '../tools/pinned-tools.ts'
import type { ImageSupply } from './image-supply.ts'
import { minorOf } from './kubernetes-version.ts'
import { withinTime } from './time-left.ts'

/**
 * Which kubectl fits: `server` is the pinned one of the server's own minor, `none` is none, anything else is taken as it is. undefined for none.
 * Where no pinned one has that minor the newest that is at most one minor away serves, as Kubernetes' version skew policy allows.
 */
export function kubectlVersionFor(asked: string, serverVersion: string): string | undefined {
  if (asked === 'none') return undefined
  if (asked !== 'server') return asked
  const versions = Object.keys(pinnedTools.kubectl.digests)
  const minor = Number(serverVersion.split('.')[1])
  const distance = (version: string): number => Math.abs(Number(version.split('.')[1]) - minor)
  return (
    versions.find((version) => minorOf(version) === minorOf(serverVersion)) ??
    versions.find((version) => distance(version) <= 1) ??
    serverVersion
  )
}

/** @param deadline Of the host's monotonic clock; without one the downloads' own limits hold. */
export async function installKubectl(
  host: Host,
  supply: ImageSupply,
  asked: string,
  serverVersion: string,
  deadline?: number,
): Promise<FoundTool | undefined> {
  const version = kubectlVersionFor(asked, serverVersion)
  if (version === undefined) return undefined
  const find = (at: Host): Promise<FoundTool> => supply.tool(at, 'kubectl', version)
  return deadline === undefined ? find(host) : withinTime(host, deadline, 'kubectl', find)
}
