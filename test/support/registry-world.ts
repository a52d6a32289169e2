import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { currentOwner, livenessOf, type ProcessIdentity } from '../../src/cluster/owner.ts'
import { toolFromPackages } from '../../src/images/host-tools.ts'
import { cacheFolder } from '../../src/process/environment.ts'
import type { Host } from '../../src/process/host.ts'
import { repository } from './test-host.ts'

/**
 * A machine's surroundings for `image-source: registry`, out of what was built here: programs to download, a release without anything of `packages`, and a network that
 * lets nothing out.
 */

/** The versions that are served; the digests are those of our builds, as they are given with the versions. */
export const versions = { kind: '0.33.0', kubectl: '1.34.3', helm: '3.19.0' } as const

export interface DownloadServer {
  readonly url: string
  /** sha256 of the files, by tool. */
  readonly digests: Readonly<Record<keyof typeof versions, string>>
  readonly requests: string[]
  close(): Promise<void>
}

/** The pages that kind, kubectl and helm are downloaded from, with their paths, serving our builds. */
export async function startDownloadServer(host: Host, folder: string): Promise<DownloadServer> {
  const [kind, kubectl, helm] = await Promise.all([
    toolFromPackages(host, 'kind'),
    toolFromPackages(host, 'kubectl', versions.kubectl),
    toolFromPackages(host, 'helm'),
  ])
  const packed = path.join(folder, 'helm.tar.gz')
  await mkdir(path.join(folder, 'linux-amd64'), { recursive: true })
  await cp(helm, path.join(folder, 'linux-amd64', 'helm'), { dereference: true })
  const pack = ['--create', '--use-compress-program', 'gzip -1', '--file', packed, '--directory', folder]
  await host.exec.run('tar', [...pack, 'linux-amd64/helm'])
  const files = {
    [`/kubernetes-sigs/kind/releases/download/v${versions.kind}/kind-linux-amd64`]: await readFile(kind),
    [`/release/v${versions.kubectl}/bin/linux/amd64/kubectl`]: await readFile(kubectl),
    [`/helm-v${versions.helm}-linux-amd64.tar.gz`]: await readFile(packed),
  }
  const requests: string[] = []
  const server = createServer((request, response) => {
    const file = files[request.url ?? '']
    requests.push(`${request.url}`)
    if (file === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-length': file.length }).end(file)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const [kindFile, kubectlFile, helmFile] = Object.values(files).map((file) =>
    createHash('sha256').update(file).digest('hex'),
  )
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    digests: { kind: kindFile ?? '', kubectl: kubectlFile ?? '', helm: helmFile ?? '' },
    requests,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Chunks that only `packages` needs; the bundler adds a number where it wants a name twice. */
const packagesChunks = ['packages-supply', 'build-from-packages', 'build-images', 'host-tools']

/** A release as GitHub ships it, without the code and the recipes of `packages`, and with published images of the app. */
export async function releaseWithoutPackages(
  folder: string,
  images: Readonly<Record<string, string>>,
): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (const part of ['action.yml', 'dist', 'charts'])
    await cp(path.join(repository, part), path.join(folder, part), { recursive: true })
  const chunks = path.join(folder, 'dist', 'chunks')
  const present = await readdir(chunks)
  for (const name of packagesChunks) {
    const found = present.filter((file) => new RegExp(`^${name}\\d*\\.js$`).test(file))
    if (found.length === 0) throw new Error(`no chunk is named ${name} any more: say what the code of packages is`)
    for (const file of found) await rm(path.join(chunks, file))
  }
  await writeFile(path.join(folder, 'dist', 'images.json'), JSON.stringify(images))
  return folder
}

/** A folder for PATH with these programs of the machine, so that there is no kind, kubectl or helm. */
export async function onlyPrograms(host: Host, folder: string, programs: readonly string[]): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (const program of programs) {
    const { stdout } = await host.exec.run('which', [program], { quiet: true })
    await symlink(stdout.trim(), path.join(folder, program))
  }
  return folder
}

/** Content of the local registry that clusters with `image-source: packages` share. */
export function registryStorage(): string {
  return path.join(cacheFolder(process.env), 'registry', 'docker', 'registry', 'v2')
}

/** The network of this test, by its bridge; who made it stands in the label. */
const bridge = 'kp-test-kind'
const ownerLabel = 'k8s-platform.test-owner'

/**
 * Rejects where the network `kind` cannot be made for the test: a section that cannot run is red, not skipped. What a run of it that was killed has left is removed: the network
 * and the containers on it.
 */
export async function freeKindNetwork(host: Pick<Host, 'exec'>): Promise<void> {
  const quiet = { quiet: true, timeoutMs: 60_000 } as const
  const format = `{{index .Options "com.docker.network.bridge.name"}}\t{{index .Labels "${ownerLabel}"}}`
  const inspect = ['network', 'inspect', '--format', format, 'kind']
  const { exitCode, stdout } = await host.exec.run('docker', inspect, { ...quiet, allowFailure: true })
  if (exitCode !== 0) return
  const [name = '', owner = ''] = stdout.trim().split('\t')
  if (name !== bridge)
    throw new Error(
      'Docker has a network `kind` that is not of this test, which needs it to itself: remove the clusters on it, then `docker network rm kind`',
    )
  const liveness = owner === '' ? 'unknown' : await livenessOf(JSON.parse(owner) as ProcessIdentity)
  if (liveness !== 'dead')
    throw new Error(`the network \`kind\` is of another run of this test, which may live: ${owner}: wait for its end`)
  const listed = await host.exec.run('docker', ['ps', '--all', '--quiet', '--filter', 'network=kind'], quiet)
  const ids = listed.stdout.split('\n').filter((line) => line !== '')
  if (ids.length > 0) await host.exec.run('docker', ['rm', '--force', '--volumes', ...ids], quiet)
  await host.exec.run('docker', ['network', 'rm', 'kind'], quiet)
}

/**
 * The `kind` network with a bridge of its own, which lets nothing out, and counts what wanted to. Made before kind would make it.
 */
export async function sealedKindNetwork(host: Host): Promise<{
  readonly gateway: string
  /** Packets by where they wanted to go: name servers, the cluster's own addresses before they were programmed, anything else. */
  rejected(): Promise<{ readonly dns: number; readonly cluster: number; readonly other: number }>
  remove(): Promise<void>
}> {
  const table = 'kp_test_kind'
  const gateway = '172.30.77.1'
  const option = `com.docker.network.bridge.name=${bridge}`
  const quiet = { quiet: true } as const
  const owner = JSON.stringify(await currentOwner({ pid: process.pid, kind: 'person' }))
  const create = ['network', 'create', '--opt', option, '--label', `${ownerLabel}=${owner}`]
  await host.exec.run('docker', [...create, '--subnet', '172.30.77.0/24', 'kind'], quiet)
  const rules = `add table inet ${table}
delete table inet ${table}
table inet ${table} {
  counter rejected_other { }
  counter rejected_dns { }
  counter rejected_cluster { }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname != "${bridge}" accept
    oifname "${bridge}" accept
    ct direction reply accept
    meta l4proto { tcp, udp } th dport 53 counter name rejected_dns reject
    ip daddr { 10.96.0.0/16, 10.244.0.0/16 } counter name rejected_cluster reject
    counter name rejected_other reject
  }
}
`
  await host.exec.run('nft', ['-f', '-'], { ...quiet, input: rules })
  return {
    gateway,
    async rejected() {
      const { stdout } = await host.exec.run('nft', ['--json', 'list', 'counters', 'table', 'inet', table], quiet)
      const { nftables } = JSON.parse(stdout) as { nftables: { counter?: { name: string; packets: number } }[] }
      const of = (name: string): number => nftables.find(({ counter }) => counter?.name === name)?.counter?.packets ?? 0
      return { dns: of('rejected_dns'), cluster: of('rejected_cluster'), other: of('rejected_other') }
    },
    async remove() {
      await host.exec.run('docker', ['network', 'rm', 'kind'], { ...quiet, allowFailure: true })
      await host.exec.run('nft', ['delete', 'table', 'inet', table], { ...quiet, allowFailure: true })
    },
  }
}
