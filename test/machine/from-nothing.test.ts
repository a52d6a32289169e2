import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { engineLeftovers } from '../../src/engine/describe.ts'
import { stateFolder } from '../../src/process/environment.ts'
import { runCli } from '../support/cli.ts'
import { difference, type HostSnapshot, hostSnapshot } from '../support/host-snapshot.ts'
import { testHost } from '../support/test-host.ts'

// The first `up` of a machine and its last `down --all`: the engine is installed and removed, so this is for the night and for machines whose engine is ours or absent.
// Compilers' caches are kept over it where the environment names them; everything else starts from nothing.
const cache = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-nothing-'))
const env = { K8S_PLATFORM_CACHE_DIR: cache }
let before: HostSnapshot

beforeAll(async () => {
  if (dockerAnswers()) {
    const state = stateFolder({ HOME: homedir(), ...process.env })
    const ours = await engineLeftovers(testHost({ paths: { ...testHost().paths, state } }))
    if (ours.length === 0)
      throw new Error('the Docker engine here is not ours to remove: run this on a machine without one')
    const down = await runCli(['down', '--all'], { env, live: true })
    expect(down.code, down.log).toBe(0)
  }
  before = await hostSnapshot()
  expect(dockerAnswers()).toBe(false)
})

afterAll(() => rmSync(cache, { recursive: true, force: true }))

it('without --install-docker nothing is installed: the missing engine is the error', async () => {
  const up = await runCli(['up', '--image-source', 'packages'], { env })
  expect(up.code).not.toBe(0)
  expect(up.log).toContain('--install-docker')
  expect(dockerAnswers()).toBe(false)
})

it('npm run up proves a vote on a machine that has nothing', () => {
  const stdout = execFileSync('npm', ['run', '--silent', 'up'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64e6,
  }).toString()
  process.stderr.write(stdout)
  expect(stdout).toMatch(/^PASS /m)
  expect(stdout).toMatch(/^vote\s+http:\/\/127\.0\.0\.1:\d+$/m)
})

it('down keeps and names the image cache and the engine', async () => {
  const down = await runCli(['down'], { env })
  expect(down.code, down.log).toBe(0)
  expect(down.stdout).toContain(cache)
  expect(down.stdout).toContain('docker.io')
  expect(dockerAnswers()).toBe(true)
})

it('down --all leaves the machine as it was: packages, configuration, rules, mounts, links, files', async () => {
  const down = await runCli(['down', '--all'], { env, live: true })
  expect(down.code, down.log).toBe(0)
  expect(dockerAnswers()).toBe(false)
  expect(difference(before, await hostSnapshot())).toEqual({})
})

it('down --all again is content that nothing is there', async () => {
  expect((await runCli(['down', '--all'], { env })).code).toBe(0)
})

function dockerAnswers(): boolean {
  try {
    execFileSync('docker', ['version', '--format', '{{.Server.Version}}'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
