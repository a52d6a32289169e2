import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { rolloutOf, rolloutReason } from '../../../src/kubernetes/workload.ts'
import { deployment, rolledOut, statefulSet } from '../deploy/kube-fixtures.ts'

const reason = (object: KubeObject): string => rolloutOf(object).reason

describe('rollout of a Deployment', () => {
  it('is done when every new pod is available', () => {
    expect(rolloutOf(deployment('web', rolledOut))).toEqual({ done: true, reason: 'rolled out' })
  })

  it('is not done at an old generation, whatever its counters say', () => {
    const stale = deployment('web', { ...rolledOut, observedGeneration: 4 }, { generation: 5 })
    expect(rolloutOf(stale).done).toBe(false)
    expect(reason(stale)).toBe('generation 5 not seen by its controller yet (at 4)')
  })

  it.each([
    [{}, 2, '0 of 2 new pods exist'],
    [{ replicas: 3, updatedReplicas: 2, availableReplicas: 3 }, 2, '1 old pods still run'],
    [{ replicas: 2, updatedReplicas: 2, availableReplicas: 1 }, 2, '1 of 2 pods available'],
  ])('says what is missing: %j', (status, replicas, expected) => {
    expect(reason(deployment('web', status, { replicas }))).toBe(expected)
  })

  it('is done with zero replicas', () => {
    expect(rolloutOf(deployment('web', {}, { replicas: 0 })).done).toBe(true)
  })

  it('never comes while it is paused', () => {
    const paused = deployment('web', { replicas: 1, availableReplicas: 1 })
    expect(rolloutOf({ ...paused, spec: { ...paused['spec'], paused: true } })).toMatchObject({ failed: true })
    const current = deployment('web', rolledOut)
    expect(rolloutOf({ ...current, spec: { ...current['spec'], paused: true } }).done).toBe(true)
  })

  it('is not done before its controller has written any status', () => {
    const { status: _none, ...fresh } = deployment('web')
    expect(rolloutReason(fresh)).toBe('Deployment shop/web: generation 1 not seen by its controller yet (at none)')
    expect(rolloutReason(deployment('web', rolledOut))).toBeUndefined()
  })

  it('has failed when its controller has given up', () => {
    const conditions = [
      {
        type: 'Progressing',
        status: 'False',
        reason: 'ProgressDeadlineExceeded',
        message: 'ReplicaSet "web-2" has timed out progressing.',
      },
    ]
    expect(rolloutOf(deployment('web', { conditions }))).toEqual({
      done: false,
      failed: true,
      reason: 'ReplicaSet "web-2" has timed out progressing.',
    })
  })
})

describe('rollout of a StatefulSet', () => {
  it('is done when ready at its newest revision', () => {
    const status = { replicas: 1, readyReplicas: 1, currentRevision: 'db-1', updateRevision: 'db-1' }
    expect(rolloutOf(statefulSet('db', status)).done).toBe(true)
  })

  it('is not done while the pod of the old revision is the ready one', () => {
    const status = {
      replicas: 1,
      readyReplicas: 1,
      updatedReplicas: 0,
      currentRevision: 'db-1',
      updateRevision: 'db-2',
    }
    expect(reason(statefulSet('db', status))).toBe('0 of 1 pods updated')
  })

  it('replaces only the pods of its partition', () => {
    const status = { readyReplicas: 3, updatedReplicas: 1, currentRevision: 'db-1', updateRevision: 'db-2' }
    const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 2 } }
    expect(rolloutOf(statefulSet('db', status, { replicas: 3, updateStrategy })).done).toBe(true)
  })
})

describe('rollout of other kinds', () => {
  const daemonSet = (status: object): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'agent', generation: 1 },
    spec: {},
    status: { observedGeneration: 1, ...status },
  })

  it('counts the nodes of a DaemonSet', () => {
    const counters = { desiredNumberScheduled: 3, updatedNumberScheduled: 3 }
    expect(reason(daemonSet({ ...counters, numberAvailable: 2 }))).toBe('2 of 3 pods available')
    expect(rolloutOf(daemonSet({ ...counters, numberAvailable: 3 })).done).toBe(true)
  })

  it('takes a failed Job for failed', () => {
    const job = (type: string): KubeObject => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'migrate', generation: 1 },
      spec: {},
      status: { conditions: [{ type, status: 'True', reason: 'BackoffLimitExceeded' }] },
    })
    expect(rolloutOf(job('Failed'))).toEqual({ done: false, failed: true, reason: 'failed: BackoffLimitExceeded' })
    expect(rolloutOf(job('Complete')).done).toBe(true)
  })

  it('does not wait for a suspended Job', () => {
    const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'migrate' }, spec: { suspend: true } }
    expect(rolloutOf(job)).toEqual({ done: true, reason: 'is suspended' })
  })
})
