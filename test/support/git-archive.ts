import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { repository } from './test-host.ts'

const run = promisify(execFile)

/** A commit as GitHub would ship it. */
export interface ShippedCommit {
  /** 40 hex digits. */
  readonly commit: string
  readonly folder: string
  /** Files that are shipped and differ in the working tree, as `git status --short` shows them: what is tested is the commit, not these. */
  readonly uncommitted: readonly string[]
}

/**
 * Unpacks `git archive HEAD` into `folder`, which must not exist: what is not committed or has `export-ignore` is not there, as in the tarball that a runner
 * downloads for `uses:`.
 * @throws Error when this is not a git checkout.
 */
export async function unpackCommit(folder: string): Promise<ShippedCommit> {
  const commit = (await git('rev-parse', '--verify', 'HEAD^{commit}')).trim()
  await mkdir(folder, { recursive: false })
  const archive = `${folder}.tar`
  // Not --worktree-attributes: what the commit says about itself is what counts.
  await git('archive', '--format=tar', `--output=${archive}`, commit)
  await run('tar', ['--extract', '--file', archive, '--directory', folder])
  await rm(archive)
  const status = await git('status', '--short', '--untracked-files=all', '--', ...shippedPaths)
  return { commit, folder, uncommitted: status.split('\n').filter((line) => line !== '') }
}

/** What the actions are made of; a change to anything else does not change what is tested. */
const shippedPaths = ['*action.yml', 'dist', 'charts', 'images', 'voting-app', 'workflows-examples', '.gitattributes']

async function git(...args: string[]): Promise<string> {
  const { stdout } = await run('git', ['-C', path.resolve(repository), ...args], { maxBuffer: 64 * 1024 * 1024 })
  return stdout
}
