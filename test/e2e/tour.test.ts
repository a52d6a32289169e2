import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import type { RunRecord } from '../../src/report/record.ts'
import { runCli } from '../support/cli.ts'

const shared = inject('shared')
const env = { K8S_PLATFORM_STATE_DIR: shared.stateFolder }
const record = (): RunRecord =>
  JSON.parse(readFileSync(path.join(shared.reportDir, 'assertions.json'), 'utf8')) as RunRecord
const urlOf = (what: string): string =>
  new RegExp(`^${what}\\s+(http://127\\.0\\.0\\.1:\\d+)`, 'm').exec(shared.up.stdout)?.[1] ?? ''

describe('up', () => {
  it('ends green, with a table of checks, two URLs and a timeline', () => {
    expect(shared.up.code, shared.up.log).toBe(0)
    expect(shared.up.stdout).toContain('R4.stored')
    expect(shared.up.stdout).toMatch(/kp-e2e: 4 nodes, Kubernetes 1\.34\.3/)
    expect(urlOf('vote')).not.toBe('')
    expect(urlOf('results')).not.toBe('')
    for (const phase of ['kind create', 'deploy the app', 'assert']) expect(shared.up.stdout).toContain(phase)
  })

  it('has proven every suite: nothing failed, inconclusive or skipped that need not be', () => {
    const { checks, verdict } = record()
    expect(verdict).toBe('pass')
    expect([...new Set(checks.map((check) => check.suite))].sort()).toEqual([
      'dns',
      'readiness',
      'service-routing',
      'vote-flow',
    ])
    expect(checks.filter((check) => check.verdict === 'fail' || check.verdict === 'inconclusive')).toEqual([])
    expect(checks.filter((check) => check.verdict === 'pass').length).toBeGreaterThan(8)
  })

  it('serves the two pages on 127.0.0.1', async () => {
    const [vote, results] = await Promise.all([fetch(urlOf('vote')), fetch(urlOf('results'))])
    expect(vote.status).toBe(200)
    expect(await vote.text()).toContain('Cats')
    expect(results.status).toBe(200)
  })

  it('keeps the kubeconfig to its owner', () => {
    const kubeconfig = /KUBECONFIG=(\S+)/.exec(shared.up.stdout)?.[1] ?? ''
    expect(statSync(kubeconfig).mode & 0o777).toBe(0o600)
  })

  it('counts a vote that a client casts, once, however often it is sent', async () => {
    const before = (await (await fetch(`${urlOf('results')}/api/scores`)).json()) as { total: number }
    const vote = JSON.stringify({ voteId: crypto.randomUUID(), voterId: crypto.randomUUID(), choice: 'b' })
    const post = () =>
      fetch(`${urlOf('vote')}/api/votes`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: vote,
      })
    expect((await post()).status).toBe(201)
    expect((await post()).ok).toBe(true)
    await expect
      .poll(async () => ((await (await fetch(`${urlOf('results')}/api/scores`)).json()) as { total: number }).total, {
        timeout: 10_000,
      })
      .toBe(before.total + 1)
  })

  it('run again finds the cluster, changes nothing and proves it again, with hardly a second on images', async () => {
    const again = await runCli(['up', '--cluster-name', shared.name, '--image-source', 'packages'], { env })
    expect(again.code, again.log).toBe(0)
    expect(again.stdout).toContain('was there already')
  })

  it('status names nodes and URLs; plan says it would keep the cluster', async () => {
    const status = await runCli(['status', '--cluster-name', shared.name], { env })
    expect(status.code).toBe(0)
    expect(status.stdout.match(/: Ready/g)).toHaveLength(4)
    const plan = await runCli(['plan', '--cluster-name', shared.name, '--image-source', 'packages'], { env })
    expect(plan.stdout).toMatch(/^keep {4}cluster kp-e2e/m)
  })

  it('refuses nonsense before anything is touched', async () => {
    const run = await runCli(['up', '--wokers', '2', '--provider', 'k3d'], { env })
    expect(run.code).toBe(2)
    expect(run.log).toContain('did you mean --workers?')
    const k3d = await runCli(['up', '--provider', 'k3d', '--cluster-name', 'kp-never'], { env })
    expect(k3d.code).toBe(3)
  })
})
