import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Host } from '../../src/process/host.ts'
import { repositoryRoot } from '../repository.ts'
import { preparePeersWay } from './peers-inputs.ts'
import { benchCluster, runProgram } from './programs.ts'

/** Seconds from the start of the script to each of its marks. */
export type PeersMarks = Readonly<Record<string, number>>

/** One run of peers-way.sh, its cluster made and removed. What it finds ready is made before its clock starts. */
export async function runPeersWay(host: Host, through: 'nodes' | 'vote'): Promise<PeersMarks> {
  const name = `${benchCluster}-peers`
  const folder = await mkdtemp(path.join(tmpdir(), 'k8s-platform-bench-'))
  const env = await preparePeersWay(host, name, folder)
  try {
    const script = path.join(repositoryRoot, 'scripts', 'bench', 'peers-way.sh')
    const { stdout } = await runProgram(script, [], { env: { ...env, THROUGH: through } })
    return marksOf(stdout)
  } finally {
    await runProgram(env['KIND'] ?? '', ['delete', 'cluster', '--name', name], { env, cleanUp: true })
    await runProgram('docker', ['rm', '--force', '--volumes', `${name}-registry`], {
      codes: [0, 1],
      quiet: true,
      cleanUp: true,
    })
    await rm(folder, { recursive: true, force: true })
  }
}

function marksOf(stdout: string): PeersMarks {
  const found = [...stdout.matchAll(/^mark (\S+) (\d+)$/gm)].map((match) => [match[1] ?? '', Number(match[2])] as const)
  const start = found[0]?.[1] ?? Number.NaN
  return Object.fromEntries(found.map(([mark, at]) => [mark, (at - start) / 1000]))
}
