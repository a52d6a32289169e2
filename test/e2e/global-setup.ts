import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { type CliRun, runCli } from '../support/cli.ts'
import { type HostSnapshot, hostSnapshot, leftBehind } from '../support/host-snapshot.ts'

/** What every e2e file shares: one proven cluster, made by `up`, and what the host looked like before it. */
export interface SharedCluster {
  readonly name: string
  /** State folder of this test run: it never sees a person's own clusters. */
  readonly stateFolder: string
  readonly reportDir: string
  readonly up: CliRun
  readonly before: HostSnapshot
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly shared: SharedCluster
  }
}

/**
 * An engine is made sure of first, so that the snapshot is of a host as a person's second `up` finds it. Then the tour, once, for all files.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Work on one test: it takes the cluster named there (test/e2e/cluster-fixture.ts), and none is made for it.
  if (process.env['K8S_PLATFORM_E2E_KUBECONFIG'] !== undefined) return async () => {}
  const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-e2e-'))
  const stateFolder = path.join(folder, 'state')
  const reportDir = path.join(folder, 'report')
  const env = { K8S_PLATFORM_STATE_DIR: stateFolder }
  const name = 'kp-e2e'
  // The engine's record belongs to the host, not to this run: it lies in the ordinary state folder.
  await mustSucceed(runCli(['images', 'build', '--install-docker'], { live: true, timeoutMs: 3_600_000 }))
  const before = await hostSnapshot()
  const up = await runCli(['up', '--cluster-name', name, '--image-source', 'packages', '--report-dir', reportDir], {
    env,
    live: true,
  })
  process.stderr.write(`${up.stdout}\n`)
  project.provide('shared', { name, stateFolder, reportDir, up, before })
  return async () => {
    await mustSucceed(runCli(['down', '--cluster-name', name], { env }))
    rmSync(folder, { recursive: true, force: true })
    // Among the e2e files one looks (traces.test.ts); the matrices of the nightly run are held to the same.
    if (project.name === 'nightly') mustBeEmpty(leftBehind(before, await hostSnapshot()))
  }
}

function mustBeEmpty(left: ReturnType<typeof leftBehind>): void {
  if (Object.keys(left).length > 0) throw new Error(`left on the host: ${JSON.stringify(left, undefined, 2)}`)
}

async function mustSucceed(running: Promise<CliRun>): Promise<void> {
  const run = await running
  if (run.code !== 0) throw new Error(`exit code ${run.code}:\n${run.log.slice(-4_000)}`)
}
