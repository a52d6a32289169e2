import { describe, expect, it } from 'vitest'
import { type RolloutRequest, waitForRollout } from '../../../src/deploy/rollout.ts'
import { awaitedOf } from '../../../src/deploy/rollout-state.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { CancelledError, NotReadyError } from '../../../src/process/errors.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'
import { FakeCluster } from './fake-kubernetes.ts'
import {
  container,
  deployment,
  pod,
  replicaSet,
  rolledOut,
  statefulSet,
  unavailable,
  warning,
} from './kube-fixtures.ts'

const web = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' }

function request(cluster: FakeCluster, overrides: Partial<RolloutRequest> = {}): RolloutRequest {
  return {
    what: 'shop',
    objects: [web],
    timeoutMs: 5_000,
    connect: async (signal) => cluster.client(signal),
    ...overrides,
  }
}

async function failure(wait: Promise<void>): Promise<NotReadyError> {
  const error = await wait.then(
    () => undefined,
    (caught: unknown) => caught,
  )
  expect(error).toBeInstanceOf(NotReadyError)
  return error as NotReadyError
}

describe('waiting for a rollout', () => {
  it('ends by watch when the last workload is there, and leaves no watch behind', async () => {
    const cluster = new FakeCluster().put(deployment('web', unavailable))
    const log = recordingLogger()
    const db = { ...web, kind: 'StatefulSet', name: 'db' }
    const wait = waitForRollout(testHost({ log }), cluster.client(), request(cluster, { objects: [web, db] }))
    setImmediate(() => {
      cluster.put(deployment('web', rolledOut))
      cluster.put(statefulSet('db', { readyReplicas: 1, currentRevision: 'a', updateRevision: 'a' }))
    })
    await wait
    expect(cluster.following).toBe(0)
    expect(log.lines).toContain('progress: waiting for shop: 1 of 2 objects ready; StatefulSet shop/db: does not exist')
  })

  it('does not look at workloads that are not the release’s', async () => {
    const cluster = new FakeCluster().put(deployment('web', rolledOut), deployment('other', unavailable))
    await waitForRollout(testHost(), cluster.client(), request(cluster))
  })

  it('needs no cluster for a release without workloads', async () => {
    const connect = (): never => {
      throw new Error('not needed')
    }
    await waitForRollout(testHost(), new FakeCluster().client(), request(new FakeCluster(), { objects: [], connect }))
  })

  it('waits for the generation that was applied, whatever an older answer still shows', async () => {
    const cluster = new FakeCluster().put(deployment('web', rolledOut, { generation: 4 }))
    const objects = [{ ...web, generation: 5 }]
    const error = await failure(
      waitForRollout(testHost(), cluster.client(), request(cluster, { objects, timeoutMs: 50 })),
    )
    expect(error.message).toContain('generation 5 was applied and is not seen yet')
    await waitForRollout(testHost(), cluster.client(), request(cluster, { objects: [{ ...web, generation: 4 }] }))
  })

  it('does not take a program that nobody asks for ready the moment it starts', async () => {
    const unasked = (status: object): KubeObject => {
      const made = deployment('web', status)
      return { ...made, spec: { ...made['spec'], template: { spec: { containers: [{ name: 'main' }] } } } }
    }
    const cluster = new FakeCluster().put(unasked(rolledOut))
    const wait = waitForRollout(testHost(), cluster.client(), request(cluster, { steadyMs: 60_000, timeoutMs: 60 }))
    setImmediate(() => cluster.put(unasked(unavailable)))
    expect((await failure(wait)).message).toContain('0 of 1 pods available')
    cluster.put(unasked(rolledOut))
    await waitForRollout(testHost(), cluster.client(), request(cluster, { steadyMs: 20 }))
  })

  it('tells why a program ends though it runs at the deadline', async () => {
    const made = deployment('web', unavailable)
    const unasked = { ...made, spec: { ...made['spec'], template: { spec: { containers: [{ name: 'main' }] } } } }
    const terminated = { exitCode: 137, reason: 'OOMKilled' }
    const crashed = container({ waiting: { reason: 'CrashLoopBackOff' } }, { lastState: { terminated } })
    const cluster = new FakeCluster().put(unasked, replicaSet('web'), pod('web-2-x', 'replicaset-web-2', crashed))
    const wait = waitForRollout(testHost(), cluster.client(), request(cluster, { steadyMs: 60_000, timeoutMs: 80 }))
    setImmediate(() => cluster.put({ ...unasked, status: { ...made['status'], ...rolledOut } }))
    expect((await failure(wait)).message).toContain('OOMKilled: container main was killed')
  })

  it('gives what nobody may report on a short while, and says so', async () => {
    const ingress = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web', namespace: 'shop' },
    }
    const cluster = new FakeCluster().put(deployment('web', rolledOut), ingress)
    const log = recordingLogger()
    const objects = awaitedOf([deployment('web'), ingress])
    await waitForRollout(testHost({ log }), cluster.client(), request(cluster, { objects, softMs: 20 }))
    expect(log.lines.at(-1)).toBe(
      'warning: Ingress shop/web has no address yet: is there a controller for it? The deployment goes on',
    )
  })

  it('does not wait a moment longer for a Job that has failed', async () => {
    const conditions = [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', message: 'no more tries' }]
    const job: KubeObject = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'migrate', namespace: 'shop', uid: 'job-migrate' },
      spec: {},
      status: { conditions },
    }
    const terminated = { exitCode: 3, reason: 'Error' }
    const ended = { ...container({ terminated }), phase: 'Failed' }
    const cluster = new FakeCluster().put(job, pod('migrate-x', 'job-migrate', ended))
    cluster.logs.set('migrate-x/main', 'relation "votes" cannot be altered\n')
    const error = await failure(
      waitForRollout(
        testHost(),
        cluster.client(),
        request(cluster, { objects: awaitedOf([job]), timeoutMs: 60_000, giveUpAfterMs: 60_000 }),
      ),
    )
    expect(error.message).toMatch(
      /^shop will not become ready \(given up after 0\.\d s\): Job shop\/migrate: pod migrate-x: Error: container main exited with code 3; failed: no more tries; its log: relation "votes" cannot be altered$/,
    )
  })

  it('names the culprit at the deadline, with events and last log lines', async () => {
    const cluster = new FakeCluster().put(
      deployment('web', unavailable),
      replicaSet('web'),
      pod(
        'web-2-x',
        'replicaset-web-2',
        container(
          { waiting: { reason: 'CrashLoopBackOff' } },
          { restartCount: 2, lastState: { terminated: { exitCode: 1 } } },
        ),
      ),
      warning('pod-web-2-x', 'BackOff', 'Back-off restarting failed container main'),
    )
    cluster.logs.set('web-2-x/main/previous', 'starting\nerror: PORT="x": allowed is a whole number\nbye\n')
    const error = await failure(waitForRollout(testHost(), cluster.client(), request(cluster, { timeoutMs: 50 })))
    expect(error.message).toBe(
      'shop not ready after 0.1 s: Deployment shop/web: pod web-2-x: CrashLoopBackOff: container main exited with code 1, restarted 2 times; its log: error: PORT="x": allowed is a whole number',
    )
    expect(error.code).toBe('ROLLOUT_NOT_READY')
    expect(error.hint).toContain('log lines')
    expect(error.diagnostics).toEqual([
      'Deployment shop/web: pod web-2-x: CrashLoopBackOff: container main exited with code 1, restarted 2 times',
      'events, latest first:',
      '  Pod web-2-x: BackOff: Back-off restarting failed container main',
      'last log lines of shop/web-2-x, container main, before its restart:',
      '  starting',
      '  error: PORT="x": allowed is a whole number',
      '  bye',
    ])
    expect(cluster.following).toBe(0)
  })

  it('gives up early on what waiting cannot mend', async () => {
    const waiting = { reason: 'ErrImagePull', message: 'x: not found' }
    const cluster = new FakeCluster().put(
      deployment('web', unavailable),
      replicaSet('web'),
      pod('web-2-x', 'replicaset-web-2', container({ waiting })),
    )
    const error = await failure(
      waitForRollout(testHost(), cluster.client(), request(cluster, { timeoutMs: 60_000, giveUpAfterMs: 20 })),
    )
    expect(error.message).toMatch(
      /^shop will not become ready \(given up after 0\.\d s\): Deployment shop\/web: pod web-2-x: ErrImagePull/,
    )
  })

  it('does not give up on trouble that passes in time, though it come back', async () => {
    const troubled = pod(
      'web-2-x',
      'replicaset-web-2',
      container({ waiting: { reason: 'ErrImagePull', message: 'x: not found' } }),
    )
    const pulling = pod('web-2-x', 'replicaset-web-2', container({ waiting: { reason: 'ContainerCreating' } }))
    const cluster = new FakeCluster().put(deployment('web', unavailable), replicaSet('web'), troubled)
    let now = 0
    const clock = { monotonic: () => now, now: () => new Date(now) }
    const wait = waitForRollout(testHost({ clock }), cluster.client(), request(cluster, { giveUpAfterMs: 60_000 }))
    setImmediate(() => {
      cluster.put(pulling)
      now = 120_000
      cluster.put(troubled)
      cluster.put(deployment('web', rolledOut))
    })
    await wait
  })

  it('works without the right to read events', async () => {
    const cluster = new FakeCluster().put(deployment('web', rolledOut))
    cluster.forbidden.add('Event').add('ReplicaSet')
    await waitForRollout(testHost(), cluster.client(), request(cluster))
  })

  it('fails at once without the right to read the workloads', async () => {
    const cluster = new FakeCluster()
    cluster.forbidden.add('Deployment')
    await expect(waitForRollout(testHost(), cluster.client(), request(cluster))).rejects.toThrow(
      'Deployment is forbidden',
    )
    expect(cluster.following).toBe(0)
  })

  it('ends when the run is cancelled', async () => {
    const cluster = new FakeCluster().put(deployment('web', unavailable))
    const cancel = new AbortController()
    const wait = waitForRollout(testHost({ signal: cancel.signal }), cluster.client(), request(cluster))
    setImmediate(() => cancel.abort())
    await expect(wait).rejects.toBeInstanceOf(CancelledError)
    expect(cluster.following).toBe(0)
  })
})
