import type { Host } from '../process/host.ts'
import { withSystemPath } from './system-path.ts'

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
export async function snapshotFirewall(host: Pick<Host, 'exec' | 'env'>): Promise<FirewallSnapshot> {
  return { ipv4: await snapshotFamily(host, 'iptables-save'), ipv6: await snapshotFamily(host, 'ip6tables-save') }
}

async function snapshotFamily(host: Pick<Host, 'exec' | 'env'>, command: string): Promise<FamilySnapshot> {
  const result = await host.exec.run(command, [], quietly(host)).catch(() => undefined)
  const text = result?.stdout ?? ''
  const tables = [...text.matchAll(/^\*(\w+)$/gm)].map((match) => match[1] as string)
  const policy = /^:FORWARD (\w+)/m.exec(text.split('*filter')[1] ?? '')?.[1]
  return { tables, ...(policy === undefined ? {} : { forwardPolicy: policy }) }
}

/** Chains that Docker makes, of old and new releases. */
const dockerChain = /^DOCKER(-(USER|FORWARD|BRIDGE|CT|INTERNAL|ISOLATION-STAGE-[12]))?$/

/** Rules that Docker adds to chains that are not its own mention its chains, its bridges, or its addresses. */
const dockerBridge = /"?\b(docker0|kp-sealed0|br-[0-9a-f]{12})\b"?/

/**
 * Takes out what a dockerd that is gone left in iptables: it cleans nothing up when it stops. Rules and chains of others stay as they are. Tables
 * that did not exist before and are empty now are deleted where nft is there to do it.
 */
export async function removeDockerRules(host: Pick<Host, 'exec' | 'env'>, before: FirewallSnapshot): Promise<void> {
  for (const family of ['ipv4', 'ipv6'] as const) {
    const prefix = family === 'ipv4' ? 'iptables' : 'ip6tables'
    const saved = await host.exec.run(`${prefix}-save`, [], quietly(host)).catch(() => undefined)
    if (saved === undefined || saved.stdout.trim() === '') continue
    const script = removalScript(saved.stdout, before[family])
    if (script !== '') {
      await host.exec.run(`${prefix}-restore`, ['--noflush', '--wait', '10'], {
        quiet: true,
        env: withSystemPath(host.env),
        input: script,
      })
    }
    const now = (await host.exec.run(`${prefix}-save`, [], quietly(host))).stdout
    for (const table of emptyTables(now).filter((name) => !before[family].tables.includes(name))) {
      const nftFamily = family === 'ipv4' ? 'ip' : 'ip6'
      await host.exec.run('nft', ['delete', 'table', nftFamily, table], quietly(host)).catch(() => undefined)
    }
  }
}

function quietly(host: Pick<Host, 'env'>) {
  return { quiet: true, allowFailure: true, env: withSystemPath(host.env) } as const
}

/** Input for `iptables-restore --noflush`: deletes Docker's rules and chains, and puts the policy back. */
export function removalScript(saved: string, before: FamilySnapshot): string {
  return parseTables(saved)
    .map(({ name, chains, rules }) => {
      const own = [...chains.keys()].filter((chain) => dockerChain.test(chain))
      const deletions = rules.filter((rule) => {
        const [, chain = ''] = /^-A (\S+)/.exec(rule) ?? []
        const target = /-j (\S+)/.exec(rule)?.[1] ?? ''
        return !own.includes(chain) && (own.includes(target) || dockerBridge.test(rule))
      })
      const policy =
        name === 'filter' && own.length > 0 && chains.get('FORWARD') === 'DROP' && before.forwardPolicy !== 'DROP'
          ? [`:FORWARD ${before.forwardPolicy ?? 'ACCEPT'} [0:0]`]
          : []
      // With --noflush a declared built-in chain only gets its policy.
      const lines = [
        ...policy,
        ...deletions.map((rule) => rule.replace(/^-A/, '-D')),
        ...own.map((chain) => `-F ${chain}`),
        ...own.map((chain) => `-X ${chain}`),
      ]
      return lines.length === 0 ? '' : `*${name}\n${lines.join('\n')}\nCOMMIT\n`
    })
    .join('')
}

/** Tables without a rule, without a chain of anybody's and with every policy at ACCEPT. */
function emptyTables(saved: string): string[] {
  return parseTables(saved)
    .filter(({ rules, chains }) => rules.length === 0 && [...chains.values()].every((policy) => policy === 'ACCEPT'))
    .map(({ name }) => name)
}

/** iptables-save's format; the policy of a user's chain is `-`. */
function parseTables(saved: string): { name: string; chains: Map<string, string>; rules: string[] }[] {
  return saved
    .split(/^(?=\*)/m)
    .filter((part) => part.startsWith('*'))
    .map((part) => {
      const lines = part.split('\n')
      const chains = lines.flatMap((line) => {
        const [, chain, policy] = /^:(\S+) (\S+)/.exec(line) ?? []
        return chain === undefined || policy === undefined ? [] : [[chain, policy] as const]
      })
      return {
        name: (lines[0] ?? '').slice(1).trim(),
        chains: new Map(chains),
        rules: lines.filter((line) => line.startsWith('-A ')),
      }
    })
}
