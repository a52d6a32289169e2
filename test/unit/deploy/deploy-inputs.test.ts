import { describe, expect, it } from 'vitest'
import { inPhases } from '../../../src/deploy/apply-order.ts'
import { defaultRelease, sourceOf } from '../../../src/deploy/deploy-source.ts'
import { describeConflicts, fieldConflicts } from '../../../src/deploy/field-conflicts.ts'
import { inventoryId } from '../../../src/deploy/inventory.ts'
import { parseJobImages } from '../../../src/deploy/job-images.ts'
import { leftBehind } from '../../../src/deploy/prune-objects.ts'
import { canonical, replaceImages } from '../../../src/deploy/replace-images.ts'
import { parseSetValues } from '../../../src/deploy/set-values.ts'
import { ApiError } from '../../../src/kubernetes/api-error.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { InputError } from '../../../src/process/errors.ts'

const object = (kind: string, more: object = {}, apiVersion = 'v1'): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: 'web' },
  ...more,
})

describe('source of a deployment', () => {
  it.each([
    [{}, 'are all missing'],
    [{ chart: 'a', manifests: ['b'] }, 'exclude each other'],
    [{ chart: 'oci://registry.example.com/a' }, 'is missing'],
    [{ chart: 'a', chartVersion: '1.2.3' }, 'is only for a chart of a registry'],
    [{ manifests: ['a'], set: ['a=b'] }, 'is only for a chart'],
  ])('is exactly one: %j', (inputs, problem) => {
    expect(() => sourceOf(inputs)).toThrow(problem)
  })

  it.each([
    [['k8s/app.yaml'], 'app'],
    [['k8s/'], 'k8s'],
    [['deploy/My App/*.yaml'], 'my-app'],
    [['deploy/web-*.yaml'], 'deploy'],
    [['/'], 'app'],
  ])('names the release: %j', (paths, name) => {
    expect(defaultRelease({ kind: 'manifests', paths })).toBe(name)
  })
})

describe('images of the job', () => {
  it('are names, or replacements of names', () => {
    expect(parseJobImages(['shop:1', 'nginx = ghcr.io/org/shop:ci'])).toEqual([
      { image: 'shop:1' },
      { image: 'ghcr.io/org/shop:ci', replaces: 'nginx' },
    ])
    for (const wrong of ['a=b=c', '--privileged', 'nginx:1=shop:1', '=x', 'a b'])
      expect(() => parseJobImages([wrong]), wrong).toThrow(InputError)
  })

  it('replace every writing of a name, and mark what runs them', () => {
    const pod = { spec: { initContainers: [{ image: 'docker.io/library/nginx:1' }], containers: [{ image: 'nginx' }] } }
    const job = object('CronJob', { spec: { jobTemplate: { spec: { template: pod } } } }, 'batch/v1')
    const digests = new Map([['docker.io/shop/web:ci', 'sha256:1']])
    const wanted = [
      { name: 'nginx', image: 'shop/web:ci' },
      { name: 'redis', image: 'shop/redis:ci' },
    ]
    const { objects, unused } = replaceImages([job], wanted, digests)
    expect(objects[0]?.['spec'].jobTemplate.spec.template).toEqual({
      metadata: { annotations: { 'k8s-platform/image-content': 'sha256:1' } },
      spec: { initContainers: [{ image: 'shop/web:ci' }], containers: [{ image: 'shop/web:ci' }] },
    })
    expect(unused).toEqual(['redis'])
    expect(canonical('localhost:5000/a')).toBe('localhost:5000/a:latest')
  })
})

describe('values given one by one', () => {
  it('are typed, nested, and secret where they come from a variable', () => {
    const { values, secrets } = parseSetValues(['a.b=2', 'a.c=x=y', 'd=true', 'p=fromEnv:TOKEN'], { TOKEN: '007' })
    expect(JSON.stringify(values)).toBe('{"a":{"b":2,"c":"x=y"},"d":true,"p":"007"}')
    expect(secrets).toEqual(['007'])
  })

  it.each([['a'], ['=b'], ['a.b c=1'], ['p=fromEnv:NONE'], ['a=1', 'a=2'], ['a=1', 'a.b=2']])(
    'refuses %j',
    (...lines) => {
      expect(() => parseSetValues(lines, {})).toThrow(InputError)
    },
  )

  it('never shows a value, nor reaches a prototype', () => {
    expect(() => parseSetValues(['bad key=hunter2'], {})).toThrow(/^(?!.*hunter2)/s)
    expect(parseSetValues(['__proto__.x=1'], {}).values).not.toHaveProperty('x')
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})

describe('order of applying', () => {
  it('has what others need first, and webhooks last', () => {
    const kinds = ['ValidatingWebhookConfiguration', 'Deployment', 'Toy', 'Service', 'Role', 'RoleBinding', 'Namespace']
    const objects = kinds.map((kind) => object(kind, {}, kind === 'Toy' ? 'example.com/v1' : 'v1'))
    expect(inPhases(objects, (one) => one).map((phase) => phase.map(({ kind }) => kind))).toEqual([
      ['Namespace'],
      ['Role'],
      ['Service', 'RoleBinding'],
      ['Deployment'],
      ['Toy'],
      ['ValidatingWebhookConfiguration'],
    ])
  })
})

describe('conflicts of ownership', () => {
  it('name manager and field, and tell who applies from who edits', () => {
    const cause = (manager: string): object => ({
      reason: 'FieldManagerConflict',
      message: `conflict with "${manager}" using apps/v1`,
      field: '.spec.replicas',
    })
    const error = new ApiError('PATCH x', 409, 'Conflict', 'conflicts', [cause('kubectl-edit'), cause('argocd')])
    const managedFields = [
      { manager: 'kubectl-edit', operation: 'Update' },
      { manager: 'argocd', operation: 'Apply' },
    ]
    const conflicts = fieldConflicts(error, object('Deployment', { metadata: { name: 'web', managedFields } }))
    expect(conflicts.map(({ applies }) => applies)).toEqual([false, true])
    expect(describeConflicts(conflicts)).toBe(
      '.spec.replicas (owned by kubectl-edit), .spec.replicas (owned by argocd)',
    )
  })
})

describe('inventory', () => {
  it('has the id that the ApplySet specification derives', () => {
    // sha256 of `k8s-platform.shop.prod.ConfigMap.`, base64url without padding.
    expect(inventoryId('prod', 'shop')).toMatch(/^applyset-[\w-]{43}-v1$/)
    expect(inventoryId('prod', 'shop')).not.toBe(inventoryId('test', 'shop'))
  })

  it('takes an object in another version of its group for the same', () => {
    const ref = { apiVersion: 'autoscaling/v1', kind: 'HorizontalPodAutoscaler', namespace: 'shop', name: 'web' }
    expect(leftBehind([ref], [{ ...ref, apiVersion: 'autoscaling/v2' }])).toEqual([])
    expect(leftBehind([ref], [{ ...ref, namespace: 'other' }])).toEqual([ref])
  })
})
