import { execFileSync } from 'node:child_process'
import { gzipSync } from 'node:zlib'
import { repositoryRoot } from '../repository.ts'
import { type BenchResult, boundedRow } from './result.ts'

const most = 256 * 1024 * 1024

/** What every `uses:` downloads: GitHub's tarball of a commit, which is `git archive` with its attributes. */
export async function benchReleaseArchive(): Promise<BenchResult> {
  const archive = execFileSync('git', ['archive', '--format=tar', 'HEAD'], { cwd: repositoryRoot, maxBuffer: most })
  return {
    name: 'release archive',
    rows: [
      { what: 'unpacked', value: archive.length / 1e6, unit: 'MB' },
      boundedRow('tar.gz, as runners download it', gzipSync(archive, { level: 6 }).length / 1e6, 'MB', 1.5),
    ],
  }
}
