import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { removeFleet } from '../../../src/assert/probe-cleanup.ts'
import { runLabel } from '../../../src/assert/probe-manifests.ts'
import { type Fleet, startFleet } from '../../../src/assert/probe-pods.ts'
import { runSuites } from '../../../src/assert/run-suites.ts'
import { selectChecks, suiteNames } from '../../../src/assert/suites.ts'
import { ApiError } from '../../../src/kubernetes/api-error.ts'
import type { ExecOptions, ExecResult } from '../../../src/kubernetes/client.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import type { ProbeBatch } from '../../../src/probe/protocol.ts'
import { InputError } from '../../../src/process/errors.ts'
import type { Host } from '../../../src/process/host.ts'
import { silentLogger } from '../../../src/process/log.ts'
import { suites as specSuites } from '../../../src/spec/schema.ts'
import { testHost } from '../../support/test-host.ts'
import { type FakeKubernetes, fakeKubernetes, object, suiteEnvironment } from './fake-kubernetes.ts'

const node = (name: string, ready: boolean): KubeObject =>
  object('v1', 'Node', name, {
    status: { nodeInfo: { kubeletVersion: 'v1' }, conditions: [{ type: 'Ready', status: ready ? 'True' : 'Unknown' }] },
  })

/** Starts each pod that is applied to a Ready node, and answers `hello` as the script does. */
function cluster(nodes: readonly KubeObject[], exec?: (options: ExecOptions) => Promise<ExecResult>): FakeKubernetes {
  const hello = async (options: ExecOptions): Promise<ExecResult> => {
    const pod = fake.objects.find(({ kind, metadata }) => kind === 'Pod' && metadata.name === options.pod)
    const answer = {
      hostname: options.pod,
      pod: options.pod,
      node: pod?.['spec'].nodeName,
      nameservers: ['10.96.0.10'],
      search: [`${options.namespace}.svc.example.internal`],
      ndots: 5,
    }
    for await (const line of options.stdin ?? '') {
      const batch = JSON.parse(line) as ProbeBatch
      for (const { id } of batch.requests)
        options.onStdout?.(`${batch.nonce} ${JSON.stringify({ id, dial: 'connected', elapsedMs: 1, hello: answer })}\n`)
      options.onStdout?.(`${batch.nonce} {"end":${batch.requests.length}}\n`)
    }
    return { stdout: '', stderr: '', status: { exitCode: 0 } }
  }
  const fake = fakeKubernetes(nodes, { exec: exec ?? hello })
  const apply = fake.apply
  fake.apply = async (applied) => {
    const host = nodes.find(({ metadata }) => metadata.name === applied['spec']?.nodeName)
    const ready = host?.['status'].conditions[0].status === 'True'
    const status = {
      phase: ready ? 'Running' : 'Pending',
      podIP: '10.244.0.9',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', message: 'no kubelet' }],
    }
    return apply(applied.kind === 'Pod' ? { ...applied, status } : applied)
  }
  return fake
}

const setup = {
  nonce: 'abc',
  namespace: 'k8s-platform-probe-abc',
  ownNamespace: true,
  owner: '{}',
  image: 'node',
  script: '// script',
  expiresAt: new Date('2026-11-21T12:00:00Z'),
  activeSeconds: 900,
}
const end = new AbortController().signal

describe('probe pods', () => {
  it('are one per node, restricted, and tell their node and cluster domain', async () => {
    const kubernetes = cluster([node('b', true), node('a', true)])
    const fleet = await startFleet(testHost(), { kubernetes, setup, timeoutMs: 1_000, end })
    expect(fleet.probes.map(({ node: name, pod }) => [name, pod])).toEqual([
      ['a', 'probe-1'],
      ['b', 'probe-0'],
    ])
    expect(fleet).toMatchObject({ clusterDomain: 'example.internal', nameservers: ['10.96.0.10'], missing: [] })
    const pods = kubernetes.objects.filter(({ kind }) => kind === 'Pod')
    for (const pod of pods) {
      expect(pod['spec']).toMatchObject({
        automountServiceAccountToken: false,
        tolerations: [{ operator: 'Exists' }],
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [{ securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
      })
    }
    expect(kubernetes.objects.find(({ kind }) => kind === 'Namespace')?.metadata.labels).toMatchObject({
      [runLabel]: 'abc',
      'pod-security.kubernetes.io/enforce': 'restricted',
    })
  })

  it('do not wait for a node that is not Ready, and name it', async () => {
    const kubernetes = cluster([node('a', true), node('dead', false)])
    const fleet = await startFleet(testHost(), { kubernetes, setup, timeoutMs: 1_000, end })
    expect(fleet.probes.map((probe) => probe.node)).toEqual(['a'])
    expect(fleet.missing).toEqual([
      { node: 'dead', reason: 'node is not Ready; probe pod: Pending, not Ready: no kubelet' },
    ])
  })

  it('that lose their stream are missing, not answering', async () => {
    const lost = async (): Promise<ExecResult> => ({ stdout: '', stderr: '', status: null })
    const fleet = await startFleet(testHost(), {
      kubernetes: cluster([node('a', true)], lost),
      setup,
      timeoutMs: 1_000,
      end,
    })
    expect(fleet.probes).toEqual([])
    expect(fleet.missing[0]?.reason).toContain('the exec stream ended without a verdict')
  })

  it('in a given namespace are named by run and owned by its script, so that one deletion removes them', async () => {
    const shared = { ...setup, namespace: 'probes', ownNamespace: false }
    const kubernetes = cluster([node('a', true)])
    const fleet = await startFleet(testHost(), { kubernetes, setup: shared, timeoutMs: 1_000, end })
    expect(fleet).toMatchObject({ namespace: 'probes', services: { clusterIp: 'probe-abc' }, missing: [] })
    const made = kubernetes.objects.filter(({ kind }) => kind !== 'Node')
    expect(made.map(({ kind, metadata: { name } }) => `${kind} ${name}`)).toEqual([
      'ConfigMap probe-abc',
      'Service probe-abc',
      'Service probe-abc-headless',
      'Pod probe-abc-0',
      'Service probe-abc-external',
    ])
    for (const { metadata } of made.slice(1)) {
      expect(metadata.ownerReferences).toMatchObject([{ kind: 'ConfigMap', name: 'probe-abc' }])
    }
    await removeFleet(kubernetes, shared)
    expect(kubernetes.deleted).toEqual(['ConfigMap probe-abc'])
  })

  it('that may not be asked are nobody’s fault but ours', async () => {
    const forbidden = async (): Promise<ExecResult> => Promise.reject(new ApiError('exec', 403, 'Forbidden', 'no'))
    const starting = startFleet(testHost(), {
      kubernetes: cluster([node('a', true)], forbidden),
      setup,
      timeoutMs: 1_000,
      end,
    })
    await expect(starting).rejects.toBeInstanceOf(ApiError)
  })
})

/** A host whose assets hold a built probe script. */
async function builtHost(overrides: Partial<Host> = {}): Promise<Host> {
  const assets = await mkdtemp(path.join(tmpdir(), 'assets-'))
  await mkdir(path.join(assets, 'dist'))
  await writeFile(path.join(assets, 'dist', 'probe.js'), '// script')
  const host = testHost(overrides)
  return { ...host, paths: { ...host.paths, assets } }
}

/** Resolves when the first pod is applied. */
function firstPod(kubernetes: FakeKubernetes): Promise<void> {
  const started = Promise.withResolvers<void>()
  const apply = kubernetes.apply
  kubernetes.apply = async (applied) => {
    if (applied.kind === 'Pod') started.resolve()
    return apply(applied)
  }
  return started.promise
}

describe('runSuites', () => {
  const options = { target: 'generic', namespace: 'shop', convergeMs: 30, stableMs: 10 } as const

  it('judges, writes every report from the one record and removes its namespace', async () => {
    const kubernetes = cluster([node('a', true)])
    const reportDir = await mkdtemp(path.join(tmpdir(), 'report-'))
    const asked = { ...options, kubernetes, suites: ['dns'], failOn: ['skipped'], reportDir } as const
    const record = await runSuites(await builtHost(), asked)
    expect(record).toMatchObject({ schema: 'k8s-platform/assert-run/v1', suites: ['dns'], serverVersion: 'v1.34.3' })
    expect(record.failOn).toEqual(['fail', 'skipped'])
    expect(JSON.parse(await readFile(path.join(reportDir, 'assertions.json'), 'utf8'))).toEqual(record)
    expect(kubernetes.deleted).toEqual([`Namespace k8s-platform-probe-${record.run}`])
    // DNS is asked from probe pods, so their own check belongs to the proof.
    expect(record.checks.map(({ id }) => id)).toContain('R1.probes')
  })

  it('removes its namespace also when the run is cancelled, with the client given for that', async () => {
    const cancel = new AbortController()
    const kubernetes = cluster([node('a', true)], () => new Promise(() => {}))
    const cleanup = fakeKubernetes([])
    const running = runSuites(await builtHost({ signal: cancel.signal }), {
      ...options,
      kubernetes,
      cleanup,
      suites: ['dns'],
    })
    setTimeout(() => cancel.abort(), 200)
    const record = await running
    expect(record.verdict).toBe('fail')
    expect(record.problems).toContain('the run was cancelled')
    expect(cleanup.deleted).toEqual([`Namespace k8s-platform-probe-${record.run}`])
  })

  it('starts its probes beside the making of the platform, and the checks when that is done', async () => {
    const kubernetes = cluster([node('a', true)])
    const begin = Promise.withResolvers<{ expected: { nodes: number } }>()
    const started = firstPod(kubernetes)
    const early = { probesReady: Promise.resolve(), begin: begin.promise }
    const running = runSuites(await builtHost(), { ...options, kubernetes, suites: ['readiness'], early })
    await started
    begin.resolve({ expected: { nodes: 2 } })
    const record = await running
    expect(record.checks.find(({ id }) => id === 'R1.nodes')?.reason).toContain('2')
    expect(record.checks.find(({ id }) => id === 'R1.probes')?.verdict).toBe('pass')
  })

  it('asks probes only when it may, and nothing else waits for that', async () => {
    const said: string[] = []
    const looked = Promise.withResolvers<void>()
    const mayProbe = Promise.withResolvers<unknown>()
    const info = (line: string): void => {
      said.push(line)
      if (line.includes('R1.nodes')) looked.resolve()
    }
    const fleet = Promise.withResolvers<Fleet>()
    const running = runSuites(await builtHost({ log: { ...silentLogger, info } }), {
      ...options,
      kubernetes: cluster([node('a', true)]),
      suites: ['readiness'],
      early: {
        probesReady: Promise.resolve(),
        begin: Promise.resolve({ mayProbe: mayProbe.promise }),
        onFleet: fleet.resolve,
      },
    })
    // Whoever prepares the platform may ask them before.
    expect((await fleet.promise).probes.map((probe) => probe.node)).toEqual(['a'])
    await looked.promise
    expect(said.filter((line) => line.includes('R1.probes'))).toEqual([])
    mayProbe.resolve(undefined)
    expect((await running).checks.find(({ id }) => id === 'R1.probes')?.verdict).toBe('pass')
  })

  it('removes probes that started early when there is no platform to prove', async () => {
    const kubernetes = cluster([node('a', true)])
    const begin = Promise.withResolvers<object>()
    const started = firstPod(kubernetes)
    const early = { probesReady: Promise.resolve(), begin: begin.promise }
    const running = runSuites(await builtHost(), { ...options, kubernetes, suites: ['dns'], early })
    await started
    begin.reject(new Error('no cluster'))
    await expect(running).rejects.toThrow('no cluster')
    expect(kubernetes.deleted).toEqual([expect.stringMatching(/^Namespace k8s-platform-probe-/)])
  })

  it('fails a suite that was asked for and does not apply', async () => {
    const kubernetes = cluster([node('a', true)])
    const record = await runSuites(await builtHost(), { ...options, kubernetes, suites: ['vote-flow'] })
    expect(record.verdict).toBe('fail')
    expect(record.problems).toContain(
      'suite vote-flow was asked for and skipped: the target is generic, which takes no votes',
    )
  })

  it('refuses a suite that does not exist before it touches the cluster', async () => {
    const kubernetes = cluster([])
    const running = runSuites(await builtHost(), { ...options, kubernetes, suites: ['rediness'] })
    await expect(running).rejects.toBeInstanceOf(InputError)
    expect(kubernetes.objects).toEqual([])
  })
})

describe('suites', () => {
  it('are those that inputs and spec know', () => expect(suiteNames).toEqual([...specSuites]))

  it('have ids that are used once and needs that exist', () => {
    const checks = selectChecks(suiteNames, suiteEnvironment(fakeKubernetes([]), { target: 'voting-app' }))
    const ids = checks.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const check of checks) {
      expect(check.id).toMatch(/^[A-Z]\d+\.[a-z-]+$/)
      for (const need of [...check.needs, ...(check.alongside ?? [])]) expect(ids).toContain(need)
    }
  })
})
