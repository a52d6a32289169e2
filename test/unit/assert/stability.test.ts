import { describe, expect, it } from 'vitest'
import { stabilityCheck } from '../../../src/assert/suites/stability.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { NotReadyError, ToolkitError } from '../../../src/process/errors.ts'
import type { CheckRecord } from '../../../src/report/record.ts'
import { fakeKubernetes, pod, suiteEnvironment } from './fake-kubernetes.ts'
import { one } from './run-one.ts'

const now = new Date('2026-11-21T11:00:00Z')
const ago = (seconds: number): string => new Date(now.getTime() - seconds * 1000).toISOString()

describe('R5', () => {
  const running = (name: string, seconds: number, rest: object = {}): KubeObject =>
    pod(name, {
      status: {
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: ago(seconds) }],
        containerStatuses: [
          { name: 'main', ready: true, restartCount: 0, state: { running: { startedAt: ago(seconds) } }, ...rest },
        ],
      },
    })
  const check = (
    objects: KubeObject[],
    stableMs = 200,
  ): { fake: ReturnType<typeof fakeKubernetes>; run: () => Promise<CheckRecord> } => {
    const fake = fakeKubernetes(objects, { now })
    // Time passes here: what is not so now may be so before the deadline.
    fake.until = async (what, kind, scope, until) => {
      const deadline = performance.now() + until.timeoutMs
      for (;;) {
        const found = await fake.list(kind, scope)
        if (until.done(found)) return found
        if (performance.now() > deadline) throw new NotReadyError(`${what}: ${until.explain(found)}`)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    return { fake, run: () => one([stabilityCheck(suiteEnvironment(fake, { stableMs }))], 'R5.stable') }
  }

  it('looks backwards and waits for nothing when all is old enough', async () => {
    const started = performance.now()
    expect(await check([running('a', 60)], 10_000).run()).toMatchObject({
      verdict: 'pass',
      observations: { waitedMs: 0 },
    })
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  it('waits only for what is missing of the window', async () => {
    expect(await check([running('a', 0.1)]).run()).toMatchObject({ verdict: 'pass', observations: { waitedMs: 100 } })
  })

  it('is red for a restart and for a flip of readiness while it waits', async () => {
    const { fake, run } = check([running('a', 0.1)])
    const pending = run()
    setTimeout(() => {
      fake.objects = [
        running('a', 0, {
          restartCount: 1,
          lastState: { terminated: { startedAt: ago(1), finishedAt: ago(0), exitCode: 137, reason: 'OOMKilled' } },
        }),
      ]
    }, 30)
    expect((await pending).reason).toBe(
      'shop/a/main restarted 1 times while watched (OOMKilled, exit code 137; 1 restarts in all)',
    )
  })

  it.each([
    [
      'ends',
      { state: { terminated: { exitCode: 1, reason: 'Error' } } },
      0.1,
      'shop/a/main ended while watched (Error, exit code 1; 0 restarts before)',
    ],
    ['flips', {}, 0, 'shop/a changed its readiness while watched'],
  ])('does not wait for the end of the window once something %s', async (_what, rest, changed, reason) => {
    const { fake, run } = check([running('a', 0.1)], 5_000)
    const started = performance.now()
    const pending = run()
    const later = running('a', changed, rest)
    const sameLife = {
      ...later['status'].containerStatuses[0],
      ...(changed === 0 ? { state: { running: { startedAt: ago(0.1) } } } : {}),
    }
    setTimeout(() => {
      fake.objects = [{ ...later, status: { ...later['status'], containerStatuses: [sameLife] } }]
    }, 30)
    expect(await pending).toMatchObject({ verdict: 'fail', reason })
    expect(performance.now() - started).toBeLessThan(3_000)
  })

  it('is not green when the API server was away at the end of the window', async () => {
    const { fake, run } = check([running('a', 0.1)])
    const pending = run()
    setTimeout(() => {
      fake.list = () => Promise.reject(new ToolkitError('connection refused', { code: 'KUBERNETES_UNREACHABLE' }))
    }, 30)
    fake.until = async (what) => {
      await new Promise((resolve) => setTimeout(resolve, 100))
      throw new NotReadyError(what)
    }
    expect(await pending).toMatchObject({ verdict: 'inconclusive', reason: 'connection refused' })
  })

  it('does not take the pause between two crashes for stability', async () => {
    const lastState = { terminated: { startedAt: ago(30.15), finishedAt: ago(30), exitCode: 3, reason: 'Error' } }
    // Its last life lasted 0.15 s: it must live 0.3 s before it is trusted, although the window is 0.2 s.
    const young = running('a', 0.25, { restartCount: 4, lastState })
    expect(await check([young]).run()).toMatchObject({ observations: { waitedMs: 50 } })
    const waiting = running('a', 60, { restartCount: 4, lastState, state: { waiting: { reason: 'CrashLoopBackOff' } } })
    expect((await check([waiting]).run()).reason).toBe(
      'shop/a/main is in CrashLoopBackOff (Error, exit code 3; 4 restarts)',
    )
  })
})
