import { describe, expect, it } from 'vitest'
import { isAwaited, stateOf, unknownContext } from '../../../src/kubernetes/object-state.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'

const object = (apiVersion: string, kind: string, rest: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: 'one', namespace: 'shop', ...metadata },
  ...rest,
})
const condition = (type: string, status: string, more: object = {}): object => ({
  status: { conditions: [{ type, status, ...more }] },
})

describe('state of a claim', () => {
  const claim = object('v1', 'PersistentVolumeClaim', {
    spec: { storageClassName: 'standard' },
    status: { phase: 'Pending' },
  })
  it('is reached when bound, and when its class waits for the first consumer', () => {
    expect(stateOf(claim, unknownContext)).toMatchObject({ done: false, reason: 'is not bound to a volume' })
    const late = { ...unknownContext, bindsLate: (name: string | undefined) => name === 'standard' }
    expect(stateOf(claim, late).done).toBe(true)
    expect(stateOf({ ...claim, status: { phase: 'Bound' } }, unknownContext).done).toBe(true)
    expect(stateOf({ ...claim, status: { phase: 'Lost' } }, late)).toMatchObject({ done: false, failed: true })
  })
})

describe('state of what has an address', () => {
  const address = { loadBalancer: { ingress: [{ ip: '10.0.0.1' }] } }
  it('of a LoadBalancer is waited for, of any other Service not', () => {
    const service = object('v1', 'Service', { spec: { type: 'LoadBalancer' }, status: { loadBalancer: {} } })
    expect(stateOf(service, unknownContext).done).toBe(false)
    expect(stateOf({ ...service, status: address }, unknownContext).done).toBe(true)
    expect(stateOf({ ...service, spec: { type: 'NodePort' } }, unknownContext).done).toBe(true)
  })
  it('of an Ingress may never come', () => {
    const ingress = object('networking.k8s.io/v1', 'Ingress')
    expect(stateOf(ingress, unknownContext)).toMatchObject({ done: false, soft: true })
    expect(stateOf({ ...ingress, status: address }, unknownContext).done).toBe(true)
  })
})

describe('state of a custom resource', () => {
  const database = (rest: object): KubeObject => object('example.com/v1', 'Database', rest, { generation: 3 })
  it.each([
    [condition('Ready', 'True', { observedGeneration: 3 }), true, 'ready'],
    [
      condition('Ready', 'True', { observedGeneration: 2 }),
      false,
      'generation 3 not seen by its controller yet (at 2)',
    ],
    [
      condition('Ready', 'False', { reason: 'Creating', message: 'volume' }),
      false,
      'Ready is False (Creating: volume)',
    ],
    [condition('Available', 'Unknown'), false, 'Available is Unknown'],
    [condition('Whatever', 'False'), true, 'ready'],
    [{}, true, 'ready'],
  ])('%j', (rest, done, reason) => {
    expect(stateOf(database(rest), unknownContext)).toMatchObject({ done, reason })
  })
  it('that has no conditions yet, though its definition promises some, gets a while', () => {
    const promised = { ...unknownContext, reportsConditions: () => true }
    expect(stateOf(database({}), promised)).toMatchObject({ done: false, soft: true })
  })
  it('that is stalled has failed', () => {
    expect(stateOf(database(condition('Stalled', 'True')), unknownContext)).toMatchObject({ failed: true })
  })
})

describe('state of other kinds', () => {
  it('of definitions and aggregated APIs is their condition', () => {
    const crd = object('apiextensions.k8s.io/v1', 'CustomResourceDefinition')
    expect(stateOf(crd, unknownContext).reason).toBe('Established is not reported yet')
    expect(stateOf({ ...crd, ...condition('Established', 'True') }, unknownContext).done).toBe(true)
    expect(stateOf({ ...crd, ...condition('NamesAccepted', 'False') }, unknownContext).failed).toBe(true)
    const api = object(
      'apiregistration.k8s.io/v1',
      'APIService',
      condition('Available', 'False', { reason: 'Missing' }),
    )
    expect(stateOf(api, unknownContext).reason).toBe('Available is False (Missing)')
  })
  it('of a bare pod is Ready, or its end', () => {
    const pod = (status: object): KubeObject => object('v1', 'Pod', { status })
    expect(stateOf(pod({ phase: 'Succeeded' }), unknownContext).done).toBe(true)
    expect(stateOf(pod({ phase: 'Failed', reason: 'Evicted' }), unknownContext)).toMatchObject({
      failed: true,
      reason: 'failed: Evicted',
    })
    expect(stateOf(pod({ phase: 'Running' }), unknownContext).reason).toBe('running, not ready')
  })
  it('does not exist for configuration', () => {
    const ref = (apiVersion: string, kind: string) => ({ apiVersion, kind, name: 'one' })
    expect(isAwaited(ref('v1', 'ConfigMap'))).toBe(false)
    expect(isAwaited(ref('rbac.authorization.k8s.io/v1', 'Role'))).toBe(false)
    expect(isAwaited(ref('gateway.networking.k8s.io/v1', 'Gateway'))).toBe(true)
  })
})
