import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { buildImages } from '../../src/images/build-images.ts'
import { supportedKubernetesVersions } from '../../src/images/kubernetes-versions.ts'
import { publishImages } from '../../src/images/publish-images.ts'
import { cacheFolder } from '../../src/process/environment.ts'
import { pinnedTool } from './pinned-tool.ts'
import { testHost } from './test-host.ts'

const run = promisify(execFile)
/** What cyclonus calls its namespaces; it leaves them behind. */
export const cyclonusNamespaces = ['x', 'y', 'z']
const recipe = 'cyclonus-worker'

export interface PeerCase {
  readonly name: string
  readonly passed: boolean
}

/** Builds the image of cyclonus' pods and puts it into the cluster's registry under the name that its manifests use. */
export async function publishCyclonusWorker(kubeconfig: string): Promise<void> {
  const base = testHost()
  const host = {
    ...base,
    env: { ...base.env, HOME: process.env['HOME'] ?? '/root' },
    paths: { ...base.paths, cache: cacheFolder(process.env) },
  }
  const [kubernetesVersion = ''] = await supportedKubernetesVersions(host)
  const images = await buildImages(host, { recipes: [recipe], kubernetesVersion })
  const toPublish = images.flatMap(({ localTag, upstreamNames }) =>
    upstreamNames.map((upstreamName) => ({ localTag, upstreamName })),
  )
  await publishImages(host, { pushAddress: await registryOf(kubeconfig) }, toPublish)
}

/** `127.0.0.1:port` of the registry beside the cluster: its container is called after it. */
async function registryOf(kubeconfig: string): Promise<string> {
  const name = /^current-context: kind-(\S+)$/m.exec(await readFile(kubeconfig, 'utf8'))?.[1]
  if (name === undefined) throw new Error(`${kubeconfig} names no cluster of kind`)
  const { stdout } = await run('docker', ['port', `${name}-registry`, '5000/tcp'])
  return stdout.trim().split('\n')[0] ?? ''
}

/** Runs cyclonus' generated cases of the tags, ends it when its time is over, and returns the verdict of each. */
export async function runCyclonus(
  kubeconfig: string,
  options: {
    readonly protocols: readonly string[]
    readonly included: readonly string[]
    readonly excluded: readonly string[]
    readonly limitMs: number
  },
): Promise<readonly PeerCase[]> {
  const program = await pinnedTool('cyclonus', '.')
  const folder = await mkdtemp(path.join(tmpdir(), 'k8s-platform-cyclonus-'))
  const junit = path.join(folder, 'junit.xml')
  const { protocols, included, excluded, limitMs } = options
  const tags = ['-include', included.join(','), '-exclude', excluded.join(',')]
  const args = ['-junit', junit, ...tags, '-protocols', protocols.join(',')]
  try {
    await runWithin(limitMs, program, args, { ...process.env, KUBECONFIG: kubeconfig })
    return junitCases(await readFile(junit, 'utf8'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs a program that tells what it does as it goes on; rejects when it fails, and kills it when its time is over. */
export async function runWithin(
  limitMs: number,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    const child = spawn(program, args, {
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: limitMs,
      killSignal: 'SIGKILL',
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve([code, signal]))
  })
  const name = path.basename(program)
  if (signal === 'SIGKILL') throw new Error(`${name} was killed: its time is ${limitMs / 1_000} s`)
  if (code !== 0) throw new Error(`${name} ended with ${code ?? signal}`)
}

/** The cases of a JUnit report; one with a `failure` did not pass. */
export function junitCases(xml: string): readonly PeerCase[] {
  const testcase = /<testcase\b([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g
  return [...xml.matchAll(testcase)].map(([, attributes = '', , body = '']) => ({
    name: /\bname="([^"]*)"/.exec(attributes)?.[1] ?? '',
    passed: !/<(failure|error|skipped)\b/.test(body),
  }))
}
