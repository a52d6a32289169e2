import { createHash } from 'node:crypto'
import { CommandError, UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { withSystemPath } from './system-path.ts'

/**
 * The seal: containers on our bridge can open no connection past the machine. It is one nftables table of our own, which Docker does not know and
 * does not touch when it restarts, which is replaced in one transaction, counts what it rejects, and goes without a trace. Rejecting, not dropping,
 * lets a client fail at once. Published ports work: their packets leave the bridge as replies.
 *
 * DNS needs a second half. Containers ask Docker's resolver inside their own network namespace, and it passes questions it cannot answer on to the
 * host's name servers. Docker 20.10 and 26.1 ask from the container's namespace, where the seal rejects them, unless the name server is on the host's
 * loopback; Docker 28.5 asks from the host's, as the daemon's own traffic, which no rule about a bridge can meet (all three measured). A name server
 * given by `--dns` is asked from the container's namespace in all of them, so every container of ours gets {@link sealedDnsArgs}: nobody listens there,
 * and names of containers are answered as before. kind has no setting for it: src/engine/sealed-client.ts.
 */
const table = 'k8s_platform_seal'

/** The sealed network's bridge on the host: a fixed name, so that rules can mean it and nothing else. */
export const sealedBridge = 'kp-sealed0'

/** For `docker run` and `docker create` of every container on the sealed network. */
export const sealedDnsArgs: readonly string[] = ['--dns', '127.0.0.1']

export interface SealStatus {
  /** True when the rules are in place as this version writes them. */
  readonly sealed: boolean
  /** Packets rejected since the seal was set, by what they were. */
  readonly rejected: { readonly ipv4: number; readonly ipv6: number; readonly dns: number }
}

const notSealed: SealStatus = { sealed: false, rejected: { ipv4: 0, ipv6: 0, dns: 0 } }

/**
 * Puts the rules in place; nothing happens when they are, so counters go on counting.
 *
 * @throws UnsupportedError NFT_MISSING without the nft program
 */
export async function seal(host: Host): Promise<void> {
  if ((await sealStatus(host)).sealed) return
  await nft(host, ['-f', '-'], renderRules())
}

/** Takes the rules away; nothing happens when there are none. */
export async function unseal(host: Host): Promise<void> {
  // Naming the table twice makes the deletion succeed also where there is none.
  const script = `add table inet ${table}\ndelete table inet ${table}\n`
  if ((await listTable(host)) !== undefined) await nft(host, ['-f', '-'], script)
}

/** Reads whether the seal is in place and what it has rejected so far. */
export async function sealStatus(host: Host): Promise<SealStatus> {
  const listing = await listTable(host)
  if (listing === undefined) return notSealed
  const rules = listing.flatMap((object) => (object.rule === undefined ? [] : [object.rule.comment ?? '']))
  const counters = new Map(
    listing.flatMap((object) => (object.counter === undefined ? [] : [[object.counter.name, object.counter.packets]])),
  )
  const expected = ruleComments()
  return {
    sealed: rules.length === expected.length && expected.every((comment, index) => rules[index] === comment),
    rejected: {
      ipv4: counters.get('rejected_ipv4') ?? 0,
      ipv6: counters.get('rejected_ipv6') ?? 0,
      dns: counters.get('rejected_dns') ?? 0,
    },
  }
}

/**
 * Names of the network's running containers that were started without {@link sealedDnsArgs}, and through whom outside names may therefore resolve,
 * depending on the engine.
 */
export async function containersWithOutsideDns(host: Host, network: string): Promise<string[]> {
  const listed = await host.exec.run('docker', ['ps', '--quiet', '--filter', `network=${network}`], { quiet: true })
  const ids = listed.stdout.split('\n').filter((line) => line !== '')
  if (ids.length === 0) return []
  const format = '{{.Name}} {{json .HostConfig.Dns}}'
  const { stdout } = await host.exec.run('docker', ['inspect', '--format', format, ...ids], { quiet: true })
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !line.endsWith(` ["${sealedDnsArgs[1]}"]`))
    .map((line) => (line.split(' ')[0] ?? '').replace(/^\//, ''))
}

interface Rule {
  readonly chain: 'forward' | 'input'
  readonly match: string
}

/** Tested on real packets by test/e2e/seal.test.ts. */
const rules: readonly Rule[] = [
  { chain: 'forward', match: `iifname != "${sealedBridge}" accept` },
  { chain: 'forward', match: `oifname "${sealedBridge}" accept` },
  // Answers of a published port. The direction, not the state: a connection opened by a container before the seal ends with it.
  { chain: 'forward', match: 'ct direction reply accept' },
  { chain: 'forward', match: 'meta l4proto { tcp, udp } th dport { 53, 853 } counter name rejected_dns' },
  { chain: 'forward', match: 'meta nfproto ipv4 counter name rejected_ipv4' },
  { chain: 'forward', match: 'meta nfproto ipv6 counter name rejected_ipv6' },
  { chain: 'forward', match: 'meta l4proto tcp reject with tcp reset' },
  { chain: 'forward', match: 'reject with icmpx admin-prohibited' },
  // A name server on this machine would ask the outside on the container's behalf.
  {
    chain: 'input',
    match: `iifname "${sealedBridge}" meta l4proto { tcp, udp } th dport { 53, 853 } counter name rejected_dns reject with icmpx admin-prohibited`,
  },
]

/** Every rule carries the fingerprint of all, so that rules of another version, or half of them, are noticed. */
function ruleComments(): string[] {
  const fingerprint = createHash('sha256').update(JSON.stringify(rules)).digest('hex').slice(0, 12)
  return [...rules]
    .sort((a, b) => a.chain.localeCompare(b.chain))
    .map((_, index) => `k8s-platform seal ${fingerprint} ${index + 1}`)
}

/** The whole table as one transaction: whoever runs it last, the result is the same. */
export function renderRules(): string {
  const ordered = [...rules].sort((a, b) => a.chain.localeCompare(b.chain))
  const comments = ruleComments()
  const chain = (name: Rule['chain']) =>
    ordered
      .map((rule, index) => (rule.chain === name ? `    ${rule.match} comment "${comments[index]}"\n` : ''))
      .join('')
  return `add table inet ${table}
delete table inet ${table}
table inet ${table} {
  counter rejected_ipv4 { }
  counter rejected_ipv6 { }
  counter rejected_dns { }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
${chain('forward')}  }
  chain input {
    type filter hook input priority filter - 10; policy accept;
${chain('input')}  }
}
`
}

interface NftObject {
  readonly rule?: { readonly comment?: string }
  readonly counter?: { readonly name: string; readonly packets: number }
}

/** What is in our table, in nft's order; undefined when there is no table. */
async function listTable(host: Host): Promise<readonly NftObject[] | undefined> {
  try {
    const stdout = await nft(host, ['--json', 'list', 'table', 'inet', table])
    return (JSON.parse(stdout) as { nftables: NftObject[] }).nftables
  } catch (error) {
    if (error instanceof CommandError && error.stderr.includes('No such file or directory')) return undefined
    throw error
  }
}

async function nft(host: Host, args: readonly string[], input?: string): Promise<string> {
  try {
    const options = { quiet: true, timeoutMs: 30_000, ...(input === undefined ? {} : { input }) }
    return (await host.exec.run('nft', args, { ...options, env: { ...withSystemPath(host.env), LC_ALL: 'C' } })).stdout
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === null && !error.timedOut) {
      throw new UnsupportedError('the sealed network needs the program nft, which was not found', {
        code: 'NFT_MISSING',
        hint: 'Install it (apt-get install nftables), or give --install-docker, which installs it too.',
        cause: error,
      })
    }
    throw error
  }
}
