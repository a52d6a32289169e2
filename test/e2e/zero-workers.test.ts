import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, inject, it } from 'vitest'
import { runCli } from '../support/cli.ts'

// The shared cluster only so that this file has its own name and folder beside it: two tours on one host do not disturb each other.
const shared = inject('shared')
const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-zero-'))
const env = { K8S_PLATFORM_STATE_DIR: path.join(folder, 'state') }
const cluster = ['--cluster-name', `${shared.name}-zero`]

afterAll(async () => {
  await runCli(['down', ...cluster], { env })
  rmSync(folder, { recursive: true, force: true })
})

it('a cluster of one control plane alone runs the app and proves the vote', async () => {
  const up = await runCli(['up', ...cluster, '--workers', '0', '--image-source', 'packages'], { env })
  expect(up.code, up.log).toBe(0)
  expect(up.stdout).toContain(`${shared.name}-zero: 1 nodes`)
  expect(up.stdout).toContain('R4.stored')
})

it('another request for the same name is refused, and nothing of the cluster is touched', async () => {
  const other = await runCli(['up', ...cluster, '--workers', '1', '--image-source', 'packages'], { env })
  expect(other.code).not.toBe(0)
  expect(other.log).toContain(`${shared.name}-zero`)
  const status = await runCli(['status', ...cluster], { env })
  expect(status.code, status.stdout).toBe(0)
})
