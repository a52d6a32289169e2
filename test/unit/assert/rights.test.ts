import { describe, expect, it } from 'vitest'
import { runChecks } from '../../../src/assert/engine.ts'
import { type Permission, permissions, permissionsOf } from '../../../src/assert/permissions.ts'
import { rbacObjects, renderRbac } from '../../../src/assert/rbac.ts'
import { describeRefusal } from '../../../src/assert/refusal.ts'
import { workloadChecks } from '../../../src/assert/suites/workloads.ts'
import { suiteNames } from '../../../src/assert/suites.ts'
import { ApiError } from '../../../src/kubernetes/api-error.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { testHost } from '../../support/test-host.ts'
import { fakeKubernetes, suiteEnvironment } from './fake-kubernetes.ts'

const place = { namespace: 'shop', probeNamespace: 'probes' }

describe('rights', () => {
  it('are those of the suites asked for', () => {
    const resources = (suites: readonly string[]): string[] => permissionsOf(suites).flatMap((one) => one.resources)
    expect(resources(['dns'])).not.toContain('deployments')
    expect(resources(['readiness'])).toContain('apiservices')
    expect(resources(suiteNames).length).toBe(permissions.flatMap((one) => one.resources).length)
  })

  it('never reach further than one verb, one resource and one place at a time', () => {
    for (const { verbs, resources, place: where, group } of permissions) {
      expect([...verbs, ...resources, group].join()).not.toContain('*')
      if (where === 'cluster') expect(verbs).toEqual(['list'])
      expect(resources).not.toContain('secrets')
    }
  })

  it('in a namespace are a Role there, and the account may not look into another one', () => {
    const objects = rbacObjects({ ...place, suites: ['dns', 'service-routing'] })
    const where = (kind: string): (string | undefined)[] =>
      objects.filter((one) => one.kind === kind).map((one) => one.metadata.namespace)
    expect(where('Role').toSorted()).toEqual(['default', 'kube-system', 'probes', 'shop'])
    expect(where('RoleBinding').toSorted()).toEqual(where('Role').toSorted())
    const cluster = objects.find((one) => one.kind === 'ClusterRole')
    expect(cluster?.['rules']).toEqual([{ apiGroups: [''], resources: ['nodes'], verbs: ['list'] }])
    for (const binding of objects.filter((one) => one.kind.endsWith('Binding'))) {
      expect(binding['subjects']).toEqual([
        { kind: 'ServiceAccount', name: 'k8s-platform-assert', namespace: 'probes' },
      ])
      expect(binding['roleRef'].name).toBe(binding.metadata.name)
    }
  })

  it('beside the app in its own namespace overwrite nothing', () => {
    const roles = rbacObjects({ namespace: 'shop', probeNamespace: 'shop', suites: suiteNames }).filter(
      (one: KubeObject) => one.kind === 'Role',
    )
    const names = roles.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
    expect(new Set(names).size).toBe(names.length)
  })

  it('are printed with names kept to the resources that have them', () => {
    const text = renderRbac({ ...place, suites: ['vote-flow'] })
    expect(text).toContain('pod-security.kubernetes.io/enforce: restricted')
    expect(text).toMatch(/resourceNames:\n\s+- k8s-platform-host-ports/)
    expect(text).not.toContain('#')
    // What only some clusters need is a comment: it cannot be known what their webhooks watch.
    const more = renderRbac({ ...place, suites: ['readiness'] })
    expect(more).toMatch(
      /^# Where the cluster has admission webhooks, R3\.webhooks [^\n]*\n(# [^\n]*\n)+apiVersion: v1\n/,
    )
    const none: readonly Permission[] = []
    expect(rbacObjects({ ...place, suites: ['dns'], permissions: none }).map((one) => one.kind)).toEqual([
      'Namespace',
      'ServiceAccount',
    ])
  })
})

describe('a right that is missing', () => {
  const refused = (message: string, status = 403): ApiError =>
    new ApiError('GET /api/v1/pods', status, 'Forbidden', message)
  const sentence =
    'deployments.apps is forbidden: User "system:serviceaccount:probes:k8s-platform-assert" cannot list resource "deployments" in API group "apps" in the namespace "shop"'

  it.each([
    [sentence, 'may not list deployments.apps in namespace shop (as system:serviceaccount:probes:k8s-platform-assert)'],
    [
      'nodes is forbidden: User "x" cannot list resource "nodes" in API group "" at the cluster scope',
      'may not list nodes in the whole cluster (as x)',
    ],
    [
      'pods "probe-0" is forbidden: User "x" cannot get resource "pods/exec" in API group "" in the namespace "probes"',
      'may not get pods/exec in namespace probes (as x)',
    ],
    // Pod Security and quota refuse with the same status: theirs are no rights.
    [
      'pods "a" is forbidden: exceeded quota: small',
      'GET /api/v1/pods: 403 Forbidden: pods "a" is forbidden: exceeded quota: small',
    ],
  ])('is told in one line: %s', (message, told) => {
    expect(describeRefusal(refused(message))).toBe(told)
  })

  it('tells an account the API server does not know', () => {
    expect(describeRefusal(refused('Unauthorized', 401))).toMatch(/^the API server does not know who asks/)
  })

  it('makes the check inconclusive, not red and not green', async () => {
    const kubernetes = fakeKubernetes([])
    kubernetes.list = () => Promise.reject(refused(sentence))
    const [record] = await runChecks(testHost(), workloadChecks(suiteEnvironment(kubernetes)), { timeoutMs: 5_000 })
    expect(record).toMatchObject({
      id: 'R2.app',
      verdict: 'inconclusive',
      reason: expect.stringMatching(/^may not list deployments\.apps in namespace shop/),
      evidence: [{ command: 'k8s-platform assert --print-rbac' }],
    })
  })
})
