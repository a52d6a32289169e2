import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { judgeRun } from '../../src/assert/judge.ts'
import { describeOwner } from '../../src/assert/probe-cleanup.ts'
import { runLabel } from '../../src/assert/probe-manifests.ts'
import { runSuites } from '../../src/assert/run-suites.ts'
import type { Kubernetes } from '../../src/kubernetes/client.ts'
import { createKubernetes } from '../../src/kubernetes/create-kubernetes.ts'
import { silentLogger } from '../../src/process/log.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { runCli } from '../support/cli.ts'
import { recordFault } from '../support/fault-results.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { type DrillCluster, drillCluster, redOf } from './cluster-fixture.ts'

/** What was not seen is never green: a lost stream, a lost API server, no time, no checks, a run that was killed. */
const app = { target: 'voting-app', namespace: 'voting-app' } as const
const namespaceKind = { apiVersion: 'v1', kind: 'Namespace' } as const

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
})

/** The same checks, judged for somebody who tolerates what cannot be seen. */
function judgedTolerantly({ checks, suites }: RunRecord): ReturnType<typeof judgeRun> {
  return judgeRun(checks, { requested: suites, failOn: ['fail'], allowSkip: [], cancelled: false })
}

/** Only inconclusive and skipped: what broke was the looking, not what was looked at. Not even `fail-on: fail` makes that green. */
function expectUnseen(fault: string, reason: RegExp, record: RunRecord): void {
  const red = redOf(record)
  const reasons = Object.values(red)
  const others = reasons.filter((text) => !text.startsWith('inconclusive: '))
  const onlyUs = others.length === 0
  const told = reasons.some((text) => reason.test(text))
  const tolerant = judgedTolerantly(record)
  const refused =
    tolerant.verdict === 'fail' && tolerant.problems.some((text) => text.startsWith('lost the way to look'))
  recordFault({
    section: 'assertions',
    fault,
    expected: 'inconclusive checks, none failed, the run not green whatever fail-on says',
    seen: `${reasons.length - others.length} inconclusive; ${others[0] ?? reasons[0] ?? 'nothing'}`,
    held: onlyUs && told && refused && record.verdict === 'fail',
  })
  expect(onlyUs && told, JSON.stringify(red, null, 2)).toBe(true)
  expect(record.verdict).toBe('fail')
  expect(refused, JSON.stringify(tolerant)).toBe(true)
}

describe('a run that cannot see', () => {
  it('whose probe pod is killed while it answers, is not green', async () => {
    let killed = false
    const kubernetes: Kubernetes = {
      ...cluster.kubernetes,
      exec(options) {
        const { stdin } = options
        if (stdin === undefined || typeof stdin === 'string') return cluster.kubernetes.exec(options)
        async function* killing(pieces: AsyncIterable<string>): AsyncGenerator<string> {
          for await (const piece of pieces) {
            yield piece
            // First a pod is asked who it is; then what the checks want to know.
            if (options.pod !== 'probe-0' || killed || !piece.includes('"kind":"dns"')) continue
            killed = true
            const pod = `/api/v1/namespaces/${options.namespace}/pods/${options.pod}?gracePeriodSeconds=0`
            await cluster.kubernetes.raw(pod, { method: 'DELETE' })
            // Its kubelet takes a moment to kill it: what is asked meanwhile comes too late.
            await answer
          }
        }
        const answer = cluster.kubernetes.exec({ ...options, stdin: killing(stdin) })
        return answer
      },
    }
    const record = await runSuites(cluster.host, { ...app, kubernetes, suites: ['dns'] })
    expect(killed).toBe(true)
    expectUnseen('a probe pod killed while it answers', /probe records did not come back/, record)
  })

  it('whose way to the API server is cut in the middle, is not green', async () => {
    const config = parse(readFileSync(cluster.kubeconfig, 'utf8')) as { clusters: { cluster: { server: string } }[] }
    const [{ cluster: entry }] = config.clusters as [{ cluster: { server: string } }]
    const proxy = await startTcpProxy(Number(new URL(entry.server).port))
    try {
      entry.server = `https://127.0.0.1:${proxy.port}`
      const kubeconfig = path.join(cluster.host.paths.temp, 'proxy.kubeconfig')
      mkdirSync(path.dirname(kubeconfig), { recursive: true })
      writeFileSync(kubeconfig, stringify(config), { mode: 0o600 })
      const cutAtFirstAnswer = (message: string): void => {
        if (message.includes('R1.probes')) proxy.cut()
      }
      const host = { ...cluster.host, log: { ...silentLogger, info: cutAtFirstAnswer } }
      const kubernetes = await createKubernetes(host, { kubeconfig })
      // The cleaning up is done by another way, as nothing may stay behind here.
      const cleanup = cluster.kubernetes
      const options = { ...app, kubernetes, cleanup, suites: ['dns', 'service-routing'] }
      expectUnseen(
        'the way to the API server cut',
        /ECONNRESET|did not come back|hang up/,
        await runSuites(host, options),
      )
    } finally {
      await proxy.close()
    }
  })

  it('that has one second, is out of time and not green', async () => {
    const record = await runSuites(cluster.host, { ...app, kubernetes: cluster.kubernetes, timeoutMs: 1_000 })
    const late = record.problems.find((problem) => problem.startsWith('out of time: '))
    recordFault({
      section: 'assertions',
      fault: 'a deadline of 1 s',
      expected: 'out of time, the run not green whatever fail-on says',
      seen: late ?? 'in time',
      held: late !== undefined && record.verdict === 'fail',
    })
    expect(late).toMatch(/R1\.probes/)
    expect(record.verdict).toBe('fail')
  })

  it('whose only suite does not apply, is not green, unless that is allowed', async () => {
    const options = { ...app, target: 'generic', kubernetes: cluster.kubernetes, suites: ['vote-flow'] } as const
    expect(await runSuites(cluster.host, options)).toMatchObject({ verdict: 'fail' })
    // Allowed is one suite to be skipped; a run in which no check ran is still none.
    expect(await runSuites(cluster.host, { ...options, allowSkip: ['vote-flow'] })).toMatchObject({
      verdict: 'fail',
      problems: ['no check ran: all were skipped'],
    })
  })
})

describe('a run that was killed', () => {
  it('leaves probe pods that the next run removes at once, and a live neighbour’s are left alone', async () => {
    const { kubernetes } = cluster
    const neighbour = {
      ...namespaceKind,
      metadata: {
        name: `k8s-platform-probe-${randomBytes(5).toString('hex')}`,
        labels: { [runLabel]: 'neighbour' },
        annotations: {
          'k8s-platform/owner': await describeOwner(process.pid),
          'k8s-platform/expires-at': new Date(Date.now() + 600_000).toISOString(),
        },
      },
    }
    await kubernetes.create(neighbour)
    try {
      const known = new Set((await kubernetes.list(namespaceKind)).map((one) => one.metadata.name))
      const args = ['assert', '--kubeconfig', cluster.kubeconfig, '--target', 'generic', '--namespace', 'voting-app']
      const killed = await runCli([...args, '--suites', 'dns'], {
        // It says so while it waits for them: by then the namespace is there.
        onLog: (text, kill) => text.includes('waiting for probe pods') && kill('SIGKILL'),
      })
      expect(killed.code).toBeNull()
      const left = (await kubernetes.list(namespaceKind, { labelSelector: runLabel }))
        .map((one) => one.metadata.name)
        .filter((name) => !known.has(name))
      expect(left).toHaveLength(1)
      await runSuites(cluster.host, { ...app, target: 'generic', kubernetes, suites: ['vote-flow'] })
      const names = await kubernetes.until(
        'the leftovers gone',
        namespaceKind,
        { labelSelector: runLabel },
        {
          timeoutMs: 60_000,
          done: (all) => !all.some((one) => left.includes(one.metadata.name)),
          explain: (all) => all.map((one) => one.metadata.name).join(', '),
        },
      )
      expect(names.map((one) => one.metadata.name)).toContain(neighbour.metadata.name)
    } finally {
      await kubernetes.delete({ ...namespaceKind, name: neighbour.metadata.name })
    }
  })
})
