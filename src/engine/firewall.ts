import type { Host } from '../process/host.ts'

/** What iptables held of one family: tables by name, and the policy of the FORWARD chain, if there was one. */
export interface FamilySnapshot {
  readonly tables: readonly string[]
  readonly forwardPolicy?: string
}

export interface FirewallSnapshot {
  readonly ipv4: FamilySnapshot
  readonly ipv6: FamilySnapshot
}

/** Reads the tables that exist. Where iptables is not installed there are none that docker could add to. */
export async function snapshotFirewall(host: Pick<Host, 'exec'>): Promise<FirewallSnapshot> {
  return { ipv4: await snapshotFamily(host, 'iptables-save'), ipv6: await snapshotFamily(host, 'ip6tables-save') }
}

async function snapshotFamily(host: Pick<Host, 'exec'>, command: string): Promise<FamilySnapshot> {
  const result = await host.exec.run(command, [], { quiet: true, allowFailure: true }).catch(() => undefined)
  const text = result?.stdout ?? ''
  const tables = [...text.matchAll(/^\*(\w+)$/gm)].map((match) => match[1] as string)
  const policy = /^:FORWARD (\w+)/m.exec(text.split('*filter')[1] ?? '')?.[1]
  return { tables, ...(policy === undefined ? {} : { forwardPolicy: policy }) }
}
