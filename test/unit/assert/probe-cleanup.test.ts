import { describe, expect, it } from 'vitest'
import { describeOwner, sweepDeadRuns } from '../../../src/assert/probe-cleanup.ts'
import { runLabel } from '../../../src/assert/probe-manifests.ts'
import type { ProcessTable } from '../../../src/cluster/owner.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { fakeKubernetes, object } from './fake-kubernetes.ts'

/** Processes of one machine: id -> start time. */
const machine = (processes: Readonly<Record<number, string>>, bootId = 'boot'): ProcessTable => ({
  bootId: async () => bootId,
  pidNamespace: async () => 'pid:[1]',
  process: async (pid) => {
    const startTime = processes[pid]
    return startTime === undefined ? undefined : { name: 'node', parent: 1, startTime }
  },
})

describe('what killed runs left', () => {
  const now = new Date('2026-11-21T11:00:00Z')
  const left = (name: string, owner: string, expires = '2026-11-21T12:00:00Z', place = {}): KubeObject =>
    object('v1', 'namespace' in place ? 'ConfigMap' : 'Namespace', name, {
      metadata: {
        namespace: undefined,
        labels: { [runLabel]: name },
        annotations: { 'k8s-platform/expires-at': expires, 'k8s-platform/owner': owner },
        ...place,
      },
    })
  const place = { namespace: 'k8s-platform-probe-mine', ownNamespace: true, nonce: 'mine' }

  it('is removed at once when its process is dead, after its time elsewhere, and a live neighbour’s never', async () => {
    const here = machine({ 7: '100', 8: '200' })
    const other = await describeOwner(7, machine({ 7: '1' }, 'another boot'))
    const kubernetes = fakeKubernetes([
      left('alive', await describeOwner(7, here)),
      left('dead', await describeOwner(9, machine({ 9: '300' }))),
      left('reused-id', await describeOwner(8, machine({ 8: '199' }))),
      left('elsewhere', other),
      left('elsewhere-late', other, '2026-11-21T10:00:00Z'),
      left('late', await describeOwner(7, here), '2026-11-21T10:00:00Z'),
      left('mine', await describeOwner(9, machine({ 9: '300' }))),
      left('odd', 'null'),
      object('v1', 'Namespace', 'users', { metadata: { namespace: undefined } }),
    ])
    const removed = ['dead', 'reused-id', 'elsewhere-late', 'late']
    expect(await sweepDeadRuns(kubernetes, place, now, here)).toEqual(removed)
    expect(kubernetes.deleted).toEqual(removed.map((name) => `Namespace ${name}`))
  })

  it('is looked for only in the namespace that was given', async () => {
    const dead = await describeOwner(9, machine({ 9: '300' }))
    const kubernetes = fakeKubernetes([
      left('a-namespace', dead),
      left('probe-x', dead, undefined, { namespace: 'probes' }),
      left('probe-y', dead, undefined, { namespace: 'elsewhere' }),
    ])
    const given = { ...place, namespace: 'probes', ownNamespace: false }
    expect(await sweepDeadRuns(kubernetes, given, now, machine({}))).toEqual(['probe-x'])
  })
})
