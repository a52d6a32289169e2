import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import type { KubeObject, ListScope, ResourceKind } from '../../src/kubernetes/objects.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { type CliRun, runCli } from '../support/cli.ts'
import { drillCluster } from './cluster-fixture.ts'

const shared = inject('shared')
const env = { K8S_PLATFORM_STATE_DIR: shared.stateFolder }
const record = (): RunRecord =>
  JSON.parse(readFileSync(path.join(shared.reportDir, 'assertions.json'), 'utf8')) as RunRecord
const urlOf = (what: string): string =>
  new RegExp(`^${what}\\s+(http://127\\.0\\.0\\.1:\\d+)`, 'm').exec(shared.up.stdout)?.[1] ?? ''

/** What a run that changes nothing leaves as it was: each thing with what Docker or Kubernetes changes when it is replaced or its specification altered. */
interface Identities {
  readonly containers: readonly string[]
  readonly nodes: readonly string[]
  readonly workloads: readonly string[]
  readonly releases: readonly string[]
}

async function identities(): Promise<Identities> {
  const { kubernetes } = await drillCluster()
  const namespace = 'voting-app'
  const named = ({ metadata }: KubeObject): string => `${metadata.name} ${metadata.uid} ${metadata.generation ?? ''}`
  const list = async (kind: ResourceKind, scope?: ListScope): Promise<string[]> =>
    (await kubernetes.list(kind, scope)).map(named).sort()
  const [docker, nodes, deployments, statefulSets, releases] = await Promise.all([
    promisify(execFile)('docker', [
      'ps',
      '--filter',
      `name=^${shared.name}-(control-plane|worker[0-9]*|registry)$`,
      '--format',
      '{{.Names}} {{.ID}}',
    ]),
    list({ apiVersion: 'v1', kind: 'Node' }),
    list({ apiVersion: 'apps/v1', kind: 'Deployment' }, { namespace }),
    list({ apiVersion: 'apps/v1', kind: 'StatefulSet' }, { namespace }),
    // One Secret for each revision.
    list({ apiVersion: 'v1', kind: 'Secret' }, { namespace, labelSelector: 'owner=helm' }),
  ])
  const containers = docker.stdout.trim().split('\n').sort()
  return { containers, nodes, workloads: [...deployments, ...statefulSets], releases }
}

/** Lines of the timeline: start, duration, name, bar. */
function timelineOf(stdout: string): { name: string; seconds: number }[] {
  return [...stdout.matchAll(/^ *[\d.]+ s +(?:(\d+) m )?([\d.]+) s {2,}(\S+(?: \S+)*?) +[█▒]+/gm)].map(
    ([, minutes = '0', seconds, name = '']) => ({ name, seconds: Number(minutes) * 60 + Number(seconds) }),
  )
}

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

  describe('run again', () => {
    let before: Identities
    let again: CliRun

    beforeAll(async () => {
      before = await identities()
      again = await runCli(['up', '--cluster-name', shared.name, '--image-source', 'packages'], { env })
    })

    it('finds the cluster and proves it again', () => {
      expect(again.code, again.log).toBe(0)
      expect(again.stdout).toContain('was there already')
      expect(again.stdout).toContain('R4.stored')
    })

    it('changes nothing: the same containers, nodes, workloads and release', async () => {
      expect(before.containers).toHaveLength(5)
      expect(before.nodes).toHaveLength(4)
      expect(before.workloads).toHaveLength(5)
      expect(before.releases).toEqual([expect.stringMatching(/^sh\.helm\.release\.v1\..+\.v1 /)])
      expect(await identities()).toEqual(before)
    })

    it('builds, pushes and loads no image', () => {
      const phases = timelineOf(again.stdout).map(({ name }) => name)
      expect(phases).toEqual(expect.arrayContaining(['prepare', 'publish images', 'app images']))
      expect(phases.filter((name) => name.startsWith('image '))).toEqual([])
      expect(again.log).toMatch(/local registry: 0 images pushed, \d+ were there/)
      expect(again.log).not.toMatch(/\b(building|compiling) |: built in/)
    })
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
