import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { buildGoBinary } from '../../src/images/go-build.ts'
import { supportedKubernetesVersions } from '../../src/images/kubernetes-versions.ts'
import { loadRecipes } from '../../src/images/load-recipes.ts'
import type { Kubernetes } from '../../src/kubernetes/client.ts'
import { createKubernetes } from '../../src/kubernetes/create-kubernetes.ts'
import type { Host } from '../../src/process/host.ts'
import { waitFor } from '../../src/process/wait.ts'
import { pinnedTool } from '../../test/support/pinned-tool.ts'
import { repositoryRoot } from '../repository.ts'
import { runProgram } from './programs.ts'

const namespace = 'kp-bench-policy'
const [outside, inside] = ['kpbench0', 'kpbench1']
/** A network of two addresses between the machine and the namespace, out of the range for tests of networks (RFC 2544). */
const [outsideAddress, insideAddress] = ['198.18.255.1', '198.18.255.2']
const apiPort = 6443
const startMs = 120_000

/** A control plane with fake nodes and pods, and this repository's agent beside it, all in one network namespace. */
export interface FakePlane {
  readonly kubernetes: Kubernetes
  /** Starts the agent for a node. Resolves with its process. */
  startAgent(node: string): Promise<ChildProcess>
  /** What the agent tells in the Prometheus format. */
  agentMetrics(): Promise<string>
  /** Each line of the kernel's events of nftables, as they happen. */
  onRules(listener: (line: string) => void): void
  /** Ends every process it started, and removes namespace and files. */
  remove(): Promise<void>
}

/** Starts etcd, the API server and kwok, which says of every node and pod that it runs. */
export async function startFakePlane(host: Host): Promise<FakePlane> {
  const programs = await buildPrograms(host)
  const folder = await mkdtemp(path.join(tmpdir(), 'k8s-platform-bench-policy-'))
  const started: ChildProcess[] = []
  const listeners: ((line: string) => void)[] = []
  const start = (name: string, command: string, args: readonly string[]): ChildProcess => {
    // `ip netns exec` becomes the program: the process id is its own.
    const child = spawn('ip', ['netns', 'exec', namespace, command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    const log = createWriteStream(path.join(folder, `${name}.log`))
    child.stdout?.pipe(log, { end: false })
    child.stderr?.pipe(log, { end: false })
    child.on('error', (error) => host.log.error(`${name}: ${error.message}`))
    started.push(child)
    return child
  }
  const remove = async (): Promise<void> => {
    await Promise.all(started.map(ended))
    await ip('netns', 'delete', namespace).catch(() => {})
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await makeNamespace()
    const kubeconfig = await startControlPlane(folder, programs, start)
    const kubernetes = await createKubernetes(host, { kubeconfig })
    await waitFor(host, 'the API server', () => kubernetes.raw('/readyz'), {
      done: (text) => text === 'ok',
      explain: (text) => text,
      timeoutMs: startMs,
    })
    const stages = (await kwokStages()).flatMap((file) => ['--config', file])
    start('kwok', programs.kwok, ['--kubeconfig', kubeconfig, '--manage-all-nodes', ...stages])
    const monitor = start('nft', 'stdbuf', ['-oL', 'nft', 'monitor'])
    followLines(monitor, (line) => {
      for (const listener of listeners) listener(line)
    })
    return {
      kubernetes,
      startAgent: async (node) => {
        const run = path.join(folder, 'run')
        await mkdir(run)
        const where = ['--kubeconfig', kubeconfig, '--run-directory', run, '--listen', `${insideAddress}:10271`]
        return start('agent', programs.agent, ['--parts=network-policy', `--node-name=${node}`, ...where])
      },
      agentMetrics: async () => (await fetch(`http://${insideAddress}:10271/metrics`)).text(),
      onRules: (listener) => void listeners.push(listener),
      remove,
    }
  } catch (error) {
    await remove()
    throw error
  }
}

interface Programs {
  readonly kubernetes: string
  readonly etcd: string
  readonly agent: string
  readonly kwok: string
}

/** The same programs as in the images of the node, out of the same cache. */
async function buildPrograms(host: Host): Promise<Programs> {
  const [version = ''] = await supportedKubernetesVersions(host)
  const recipes = await loadRecipes(host, version)
  const build = (recipe: string, file: string): Promise<string> => {
    const binary = recipes.get(recipe)?.go[file]
    if (binary === undefined) throw new Error(`recipe ${recipe} has no binary ${file}`)
    return buildGoBinary(host, binary)
  }
  return {
    kubernetes: await build('kubernetes', '/usr/local/bin/kubernetes'),
    etcd: await build('etcd', '/usr/local/bin/etcd'),
    agent: await build('node-network', '/node-network'),
    kwok: await pinnedTool('kwok', 'sigs.k8s.io/kwok/cmd/kwok'),
  }
}

/** What kwok lets nodes and pods do, out of its own module: be Ready at once, and go when deleted. */
async function kwokStages(): Promise<string[]> {
  const module = ['list', '-m', '-f', '{{.Dir}}', 'sigs.k8s.io/kwok']
  const { stdout } = await runProgram('go', ['-C', path.join(repositoryRoot, 'test/support/kwok-tool'), ...module])
  const files = ['node/fast/node-initialize.yaml', 'pod/fast/pod-ready.yaml', 'pod/fast/pod-delete.yaml']
  return files.map((file) => path.join(stdout.trim(), 'kustomize', 'stage', file))
}

async function makeNamespace(): Promise<void> {
  // A killed run's.
  await ip('netns', 'delete', namespace).catch(() => {})
  await ip('netns', 'add', namespace)
  await ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', namespace)
  await ip('address', 'add', `${outsideAddress}/30`, 'dev', outside)
  await ip('link', 'set', outside, 'up')
  await ip('-n', namespace, 'address', 'add', `${insideAddress}/30`, 'dev', inside)
  await ip('-n', namespace, 'link', 'set', inside, 'up')
  await ip('-n', namespace, 'link', 'set', 'lo', 'up')
}

async function startControlPlane(
  folder: string,
  programs: Programs,
  start: (name: string, command: string, args: readonly string[]) => ChildProcess,
): Promise<string> {
  const file = (name: string): string => path.join(folder, name)
  const token = randomBytes(16).toString('hex')
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const secret = { mode: 0o600 }
  await writeFile(file('tokens'), `${token},bench,bench,system:masters\n`, secret)
  await writeFile(file('account.key'), privateKey, secret)
  await writeFile(file('account.pub'), publicKey)
  const cluster = { server: `https://${insideAddress}:${apiPort}`, 'insecure-skip-tls-verify': true }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'bench', cluster }],
    users: [{ name: 'bench', user: { token } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    'current-context': 'bench',
  }
  await writeFile(file('kubeconfig'), JSON.stringify(config), secret)
  // Which of its programs the binary is, its name says.
  await symlink(programs.kubernetes, file('kube-apiserver'))
  start('etcd', programs.etcd, ['--data-dir', file('etcd')])
  start('kube-apiserver', file('kube-apiserver'), [
    '--etcd-servers=http://127.0.0.1:2379',
    `--cert-dir=${file('certificates')}`,
    `--bind-address=${insideAddress}`,
    `--secure-port=${apiPort}`,
    `--token-auth-file=${file('tokens')}`,
    '--authorization-mode=AlwaysAllow',
    '--service-account-issuer=https://bench.invalid',
    `--service-account-key-file=${file('account.pub')}`,
    `--service-account-signing-key-file=${file('account.key')}`,
    // Nobody makes accounts for namespaces here.
    '--disable-admission-plugins=ServiceAccount',
  ])
  return file('kubeconfig')
}

function followLines(child: ChildProcess, onLine: (line: string) => void): void {
  let rest = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) resolve()
    else {
      child.once('exit', () => resolve())
      child.kill('SIGKILL')
    }
  })
}

async function ip(...args: string[]): Promise<void> {
  await runProgram('ip', args, { quiet: true })
}
