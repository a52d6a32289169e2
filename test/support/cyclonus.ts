import { execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { buildImages } from '../../src/images/build-images.ts'
import { supportedKubernetesVersions } from '../../src/images/kubernetes-versions.ts'
import { publishImages } from '../../src/images/publish-images.ts'
import { cacheFolder } from '../../src/process/environment.ts'
import { pinnedTool } from './pinned-tool.ts'
import type { FaultRow } from './prove-fault.ts'
import { testHost } from './test-host.ts'

const run = promisify(execFile)
const included = ['action', 'target', 'conflict', 'upstream-e2e', 'example', 'end-port', 'peer-ipblock', 'peer-pods']
const hasSctp = /^SCTP\b/m.test(readFileSync('/proc/net/protocols', 'utf8'))
/**
 * A peer's judgement: cyclonus generates policies, says by a simulation of its own what they must do, and looks at the cluster. One case takes about ten seconds on two
 * cores, so of its 230 this runs, by its own tags, every kind of change, target, conflict and peer, the examples, the cases of Kubernetes' own tests, and endPort. Left out are
 * `multi-peer`, 90 cases that combine peers tried one by one here, most of the combinations of ports, and `sctp` where the kernel has no such sockets. `cases` is what
 * the pinned version generates for these tags: fewer would be another judgement.
 */
export const peerJudgement = hasSctp
  ? { protocols: ['TCP', 'UDP', 'SCTP'], included, excluded: ['multi-peer'], cases: 76 }
  : { protocols: ['TCP', 'UDP'], included, excluded: ['multi-peer', 'sctp'], cases: 72 }
export const peerRow: FaultRow = {
  section: 'network policy',
  fault: `cyclonus v0.5.6, its generated cases tagged ${included.join(', ')}, not ${peerJudgement.excluded.join(' or ')}`,
  expected: `${peerJudgement.cases} cases, all passed`,
}
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

/**
 * Most cases take about fifteen seconds. One that denies pods all egress, DNS too, takes more than five minutes: 36 dials of names, ten at once, each tried twice, and each
 * time 40 s until the resolver gives up.
 */
const caseMs = 900_000
const tries = 2

/**
 * Runs cyclonus' generated cases of the tags, each in a process of its own, and returns the verdict of each. One that comes to no end is no verdict: it is killed, and tried
 * again; each try begins with a clean cluster. Rejects when all tries of a case came to no end, or the time of all is over.
 */
export async function runCyclonus(
  kubeconfig: string,
  options: {
    readonly protocols: readonly string[]
    readonly included: readonly string[]
    readonly excluded: readonly string[]
    readonly limitMs: number
  },
): Promise<{ readonly cases: readonly PeerCase[]; readonly triedAgain: number }> {
  const program = await pinnedTool('cyclonus', '.')
  const { protocols, included, excluded, limitMs } = options
  const tags = ['-include', included.join(','), '-exclude', excluded.join(','), '-protocols', protocols.join(',')]
  const { stdout } = await run(program, tags, { timeout: caseMs })
  const cases: PeerCase[] = []
  const ends = performance.now() + limitMs
  let triedAgain = 0
  for (let number = 1; number <= Number(stdout); number++) {
    for (let attempt = 1; ; attempt++) {
      const left = ends - performance.now()
      if (left <= 0) throw new Error(`${cases.length} of ${stdout.trim()} cases in ${limitMs / 1_000} s`)
      try {
        cases.push(...(await runCase(program, [...tags, '-case', String(number)], kubeconfig, Math.min(caseMs, left))))
        break
      } catch (error) {
        if (!(error instanceof OutOfTime) || attempt === tries) throw error
        triedAgain += 1
      }
    }
  }
  return { cases, triedAgain }
}

async function runCase(
  program: string,
  args: readonly string[],
  kubeconfig: string,
  limitMs: number,
): Promise<readonly PeerCase[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'k8s-platform-cyclonus-'))
  const junit = path.join(folder, 'junit.xml')
  try {
    await runWithin(Math.ceil(limitMs), program, [...args, '-junit', junit], { ...process.env, KUBECONFIG: kubeconfig })
    return junitCases(await readFile(junit, 'utf8'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

class OutOfTime extends Error {}

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
  if (signal === 'SIGKILL') throw new OutOfTime(`${name} was killed: its time is ${limitMs / 1_000} s`)
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
