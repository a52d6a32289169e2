import { describe, expect, it } from 'vitest'
import { permissions } from '../../../src/deploy/permissions.ts'
import { grantsFor, type KnownObject, type Needs, rightsObjects } from '../../../src/deploy/rights.ts'
import { permissionTable } from '../../../src/deploy/rights-table.ts'
import { grantsWithout, missingDeployRights } from '../../support/deploy/missing-rights.ts'
import { judged } from '../../support/deploy/run-limited-deploy.ts'
import { sampleObjects } from '../../support/deploy/sample-app.ts'

const resources: Readonly<Record<string, string>> = {
  Deployment: 'deployments',
  Service: 'services',
  PodDisruptionBudget: 'poddisruptionbudgets',
}
const objects = sampleObjects(1).map(
  (object): KnownObject => ({
    object: { ...object, metadata: { ...object.metadata, namespace: 'shop' } },
    resource: resources[object.kind] ?? '',
  }),
)
const needs: Needs = { way: 'objects', release: 'web', namespace: 'shop', prune: false, objects }

const verbsOn = (needs: Needs, resource: string): readonly string[] =>
  grantsFor(needs).find(({ rule }) => rule.resources.includes(resource))?.rule.verbs ?? []

describe('rights of a deployment', () => {
  it('are those that this one needs', () => {
    expect(verbsOn(needs, 'deployments')).toEqual(['get', 'create', 'patch', 'list', 'watch'])
    expect(verbsOn({ ...needs, prune: true }, 'deployments')).toContain('delete')
    expect(verbsOn(needs, 'configmaps')).toEqual(['get', 'create', 'patch'])
    expect(verbsOn(needs, 'secrets')).toEqual([])
    expect(verbsOn(needs, 'nodes')).toEqual(['list'])
    const hidden = objects.filter(({ object }) => object.kind !== 'Service')
    expect(verbsOn({ ...needs, objects: hidden }, 'nodes')).toEqual([])
  })

  it('of a chart are Helm’s records instead of an inventory, and to remove what it has no more', () => {
    const chart: Needs = { ...needs, way: 'chart' }
    expect(verbsOn(chart, 'configmaps')).toEqual(['get'])
    expect(verbsOn(chart, 'secrets')).toContain('update')
    expect(verbsOn(chart, 'deployments')).toContain('delete')
  })

  it('never reach the whole cluster with what has a namespace, and never all of anything', () => {
    for (const { namespace, rule } of grantsFor(needs)) {
      expect([...rule.verbs, ...rule.resources, rule.group].join()).not.toContain('*')
      if (namespace === undefined) expect(rule.resources).toEqual(['nodes'])
    }
  })

  it('come with the namespaces and the account that they are bound to', () => {
    const made = rightsObjects(needs)
    const named = made.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`)
    expect(named).toContain('Namespace /shop')
    expect(named).toContain('ServiceAccount shop/k8s-platform-deploy')
    expect(named).toContain('Role kube-system/k8s-platform-deploy-shop-web')
    for (const binding of made.filter(({ kind }) => kind.endsWith('Binding')))
      expect(binding['subjects']).toEqual([{ kind: 'ServiceAccount', name: 'k8s-platform-deploy', namespace: 'shop' }])
  })

  it('are each a row of the table in the docs', () => {
    expect(permissionTable().split('\n')).toHaveLength(permissions.length + 2)
  })
})

describe('a right taken away', () => {
  it.each(missingDeployRights())('$title: the grants have it, and then have it no more', (missing) => {
    const all = grantsFor({ ...needs, way: missing.way, prune: true })
    const count = (grants: ReturnType<typeof grantsFor>): number =>
      grants.reduce((sum, { rule }) => sum + rule.verbs.length, 0)
    expect(count(grantsWithout(all, missing))).toBe(count(all) - 1)
  })

  it('must be named by the refusal, where the deployment may not go on', () => {
    const [needed] = missingDeployRights().filter(({ refused }) => refused)
    const [spared] = missingDeployRights().filter(({ refused }) => !refused)
    if (needed === undefined || spared === undefined) throw new Error('the table has both')
    const refusal = `x is forbidden: User "y" cannot ${needed.verb} resource "${needed.resource}" in API group ""`
    expect(judged(needed, refusal).wrong).toEqual([])
    expect(judged(needed, 'deployed revisions 1 and 2').wrong).toHaveLength(1)
    expect(judged(spared, 'deployed revisions 1 and 2').wrong).toEqual([])
    expect(judged(spared, refusal).wrong).toHaveLength(1)
  })
})
