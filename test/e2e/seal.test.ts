import { chmod, mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ensureEngine } from '../../src/engine/ensure.ts'
import { type DaemonProcess, thisMachine } from '../../src/engine/machine.ts'
import { ensureNetwork, removeNetworkIfUnused, sealedNetwork } from '../../src/engine/network.ts'
import { seal, sealedBridge, sealedDnsArgs, sealStatus } from '../../src/engine/seal.ts'
import { waitFor } from '../../src/process/wait.ts'
import { repository, testHost } from '../support/test-host.ts'

/**
 * The outside, played in a network namespace behind a veth pair: a TCP listener and a name server, reached through the host's routing as the real
 * outside is. An ordinary Docker network reaches it (the positive control), the sealed one must not.
 */
const host = testHost()
const image = 'k8s-platform-test/seal-probe:1'
const openNetwork = 'kp-seal-test'
const outside = {
  namespace: 'kp-outside',
  link: 'kp-out0',
  peer: 'kp-out1',
  ipv4: '198.51.100.2',
  ipv6: '2001:db8:51::2',
}
const open = { subnet6: 'fd42:5ea1:1::/64', bridge: 'kp-seal-open0' }
/** The sealed network has no IPv6; a privileged container could still give itself an address, so the test does. */
const smuggled = { prefix: 'fd42:5ea1:2::', gateway: 'fd42:5ea1:2::1', address: 'fd42:5ea1:2::2' }
const forwarding = 'net.ipv6.conf.all.forwarding'

const logFile = path.join(host.paths.temp, 'outside.log')
const binary = path.join(host.paths.temp, 'seal-probe')
const undo: (() => Promise<unknown>)[] = []
let listener: DaemonProcess

beforeAll(async () => {
  await mkdir(host.paths.temp, { recursive: true })
  await ensureEngine(host, { install: false })
  await buildProbe()
  await playOutside()
  await run('docker', [
    'network',
    'create',
    '--ipv6',
    '--subnet',
    open.subnet6,
    '--opt',
    `com.docker.network.bridge.name=${open.bridge}`,
    openNetwork,
  ])
  undo.push(() => run('docker', ['network', 'rm', openNetwork]))
  await ensureNetwork(host)
  undo.push(() => removeNetworkIfUnused(host))
  await Promise.all([seal(host), seal(host)])
  for (const [name, args] of [
    ['kp-seal-open', ['--network', openNetwork, '--dns', outside.ipv4]],
    ['kp-seal-sealed', ['--network', sealedNetwork, '--dns', outside.ipv4]],
    ['kp-seal-ours', ['--network', sealedNetwork, ...sealedDnsArgs]],
    ['kp-seal-server', ['--network', sealedNetwork, ...sealedDnsArgs, '--publish', '127.0.0.1::8080']],
  ] as const) {
    const command = name === 'kp-seal-server' ? ['listen', '0.0.0.0:8080'] : ['sleep']
    undo.push(() => run('docker', ['rm', '--force', name]))
    await run('docker', ['run', '--detach', '--name', name, ...args, image, '/seal-probe', ...command])
  }
  await smuggleIpv6('kp-seal-sealed')
})

afterAll(async () => {
  for (const step of undo.reverse()) await step().catch((error: unknown) => console.warn(`cleanup: ${error}`))
})

describe('an ordinary network (positive control)', () => {
  test('reaches the outside over IPv4', async () => {
    expect(await probe('kp-seal-open', 'tcp', `${outside.ipv4}:80`)).toBe('ok outside')
  })
  test('reaches the outside over IPv6', async () => {
    expect(await probe('kp-seal-open', 'tcp', `[${outside.ipv6}]:80`)).toBe('ok outside')
  })
  test("resolves an outside name through Docker's resolver, and by asking the name server itself", async () => {
    expect(await probe('kp-seal-open', 'resolve', 'www.example.com')).toBe('ok 203.0.113.1')
    expect(await probe('kp-seal-open', 'ask', `${outside.ipv4}:53`, 'www.example.com')).toBe('ok 203.0.113.1')
  })
})

describe('the sealed network', () => {
  test('is refused over IPv4 at once, and the packet is counted', async () => {
    const before = await sealStatus(host)
    const seen = await arrivals()
    expect(await probe('kp-seal-sealed', 'tcp', `${outside.ipv4}:80`)).toMatch(/^failed .*connection refused/)
    expect((await sealStatus(host)).rejected.ipv4).toBeGreaterThan(before.rejected.ipv4)
    expect(await arrivals()).toEqual(seen)
  })

  test('is refused over IPv6 also where a container gave itself an address, and the packet is counted', async () => {
    const before = await sealStatus(host)
    const seen = await arrivals()
    expect(await probe('kp-seal-sealed', 'tcp', `[${outside.ipv6}]:80`)).toMatch(/^failed .*connection refused/)
    expect((await sealStatus(host)).rejected.ipv6).toBeGreaterThan(before.rejected.ipv6)
    expect(await arrivals()).toEqual(seen)
  })

  test('resolves no outside name, neither through Docker nor by asking itself, and the questions are counted', async () => {
    const before = await sealStatus(host)
    const seen = await arrivals()
    expect(await probe('kp-seal-sealed', 'resolve', 'www.example.com')).toMatch(/^failed/)
    expect(await probe('kp-seal-sealed', 'ask', `${outside.ipv4}:53`, 'www.example.com')).toMatch(/^failed/)
    expect((await sealStatus(host)).rejected.dns).toBeGreaterThan(before.rejected.dns)
    expect(await arrivals()).toEqual(seen)
  })

  test('with the arguments for our own containers no outside name resolves, and nobody is asked', async () => {
    const seen = await arrivals()
    expect(await probe('kp-seal-ours', 'resolve', 'www.example.com')).toMatch(/^failed/)
    expect(await arrivals()).toEqual(seen)
  })

  test('knows the names of its own containers, and reaches them', async () => {
    expect(await probe('kp-seal-ours', 'resolve', 'kp-seal-server')).toMatch(/^ok \d+\.\d+\.\d+\.\d+$/)
    expect(await probe('kp-seal-ours', 'tcp', 'kp-seal-server:8080')).toBe('ok outside')
  })

  test('serves ports published on 127.0.0.1', async () => {
    const { stdout } = await run('docker', ['port', 'kp-seal-server', '8080/tcp'])
    expect((await run(binary, ['tcp', stdout.trim()])).stdout.trim()).toBe('ok outside')
  })

  test('is in place once, with nothing of it on other bridges', async () => {
    expect((await sealStatus(host)).sealed).toBe(true)
    const { stdout } = await run('nft', ['list', 'ruleset'])
    expect(stdout.match(/^table inet k8s_platform_seal/gm)).toHaveLength(1)
    expect(await probe('kp-seal-open', 'tcp', `${outside.ipv4}:80`)).toBe('ok outside')
  })

  test('is noticed when a rule is missing, and put back', async () => {
    const { stdout } = await run('nft', ['--json', 'list', 'chain', 'inet', 'k8s_platform_seal', 'input'])
    const rule = (JSON.parse(stdout).nftables as { rule?: { handle: number } }[]).find((object) => object.rule)?.rule
    await run('nft', ['delete', 'rule', 'inet', 'k8s_platform_seal', 'input', 'handle', `${rule?.handle}`])
    expect((await sealStatus(host)).sealed).toBe(false)
    await seal(host)
    expect((await sealStatus(host)).sealed).toBe(true)
  })
})

async function buildProbe(): Promise<void> {
  const source = path.join(repository, 'test/e2e/seal-probe')
  await run('go', ['build', '-o', binary, '.'], {
    cwd: source,
    env: { ...goEnvironment(), CGO_ENABLED: '0', GOTOOLCHAIN: 'local' },
  })
  await chmod(binary, 0o755)
  const archive = path.join(host.paths.temp, 'seal-probe.tar')
  await run('tar', ['--create', '--file', archive, '--directory', host.paths.temp, 'seal-probe'])
  await run('docker', ['import', archive, image])
  undo.push(() => run('docker', ['rmi', '--force', image]))
}

/** Go keeps its build cache under HOME, which is a fresh folder here. */
function goEnvironment(): Record<string, string> {
  return { ...host.env, HOME: process.env['HOME'] ?? '/root' }
}

async function playOutside(): Promise<void> {
  const { namespace, link, peer } = outside
  const inside = (...args: string[]) => run('ip', ['-n', namespace, ...args])
  await run('ip', ['netns', 'add', namespace])
  undo.push(() => run('ip', ['netns', 'delete', namespace]))
  await run('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', peer, 'netns', namespace])
  await run('ip', ['address', 'add', '198.51.100.1/24', 'dev', link])
  await run('ip', ['address', 'add', '2001:db8:51::1/64', 'dev', link, 'nodad'])
  await run('ip', ['link', 'set', link, 'up'])
  await inside('address', 'add', `${outside.ipv4}/24`, 'dev', peer)
  await inside('address', 'add', `${outside.ipv6}/64`, 'dev', peer, 'nodad')
  await inside('link', 'set', 'lo', 'up')
  await inside('link', 'set', peer, 'up')
  // As a real router would, the outside knows the way back to both networks: only the seal is between.
  await inside('route', 'add', 'default', 'via', '198.51.100.1')
  await inside('-6', 'route', 'add', 'default', 'via', '2001:db8:51::1')
  const { stdout } = await run('sysctl', ['-n', forwarding])
  undo.push(() => run('sysctl', ['-q', '-w', `${forwarding}=${stdout.trim()}`]))
  await run('sysctl', ['-q', '-w', `${forwarding}=1`])
  listener = await thisMachine.startDaemon(
    'ip',
    ['netns', 'exec', namespace, binary, 'listen', `${outside.ipv4}:80`, `[${outside.ipv6}]:80`],
    { logFile, env: host.env },
  )
  undo.push(async () => thisMachine.signal(listener.pid, 'SIGTERM'))
  await waitFor(host, 'the outside', () => readFile(logFile, 'utf8'), {
    done: (text) => text.includes('listening'),
    explain: (text) => text,
    timeoutMs: 10_000,
  })
}

async function smuggleIpv6(container: string): Promise<void> {
  const { stdout } = await run('docker', ['inspect', '--format', '{{.State.Pid}}', container])
  const inside = (...args: string[]) => run('nsenter', ['--target', stdout.trim(), '--net', ...args])
  await run('ip', ['address', 'add', `${smuggled.gateway}/64`, 'dev', sealedBridge, 'nodad'])
  undo.push(() => run('ip', ['address', 'delete', `${smuggled.gateway}/64`, 'dev', sealedBridge]))
  await inside('sysctl', '-q', '-w', 'net.ipv6.conf.all.disable_ipv6=0', 'net.ipv6.conf.eth0.disable_ipv6=0')
  await inside('ip', 'address', 'add', `${smuggled.address}/64`, 'dev', 'eth0', 'nodad')
  await inside('ip', '-6', 'route', 'add', 'default', 'via', smuggled.gateway)
}

async function probe(container: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('docker', ['exec', container, '/seal-probe', ...args])
  return stdout.trim()
}

/** Every connection and question the outside has seen. */
async function arrivals(): Promise<string[]> {
  return (await readFile(logFile, 'utf8')).split('\n').filter((line) => /^(tcp|dns) /.test(line))
}

function run(command: string, args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
  return host.exec.run(command, args, { quiet: true, timeoutMs: 60_000, ...options })
}
