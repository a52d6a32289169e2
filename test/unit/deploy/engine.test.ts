import { describe, expect, it } from 'vitest'
import { applyObjects } from '../../../src/deploy/apply-objects.ts'
import { type CheckOptions, checkObjects } from '../../../src/deploy/check-objects.ts'
import { deployObjects, type ObjectsRequest } from '../../../src/deploy/deploy-objects.ts'
import { inventoryId, partOfLabel, readInventory, writeInventory } from '../../../src/deploy/inventory.ts'
import { prepareNamespaces } from '../../../src/deploy/prepare-namespaces.ts'
import { pruneObjects } from '../../../src/deploy/prune-objects.ts'
import { ApiError } from '../../../src/kubernetes/api-error.ts'
import { type KubeObject, refOf } from '../../../src/kubernetes/objects.ts'
import { InputError, ToolkitError } from '../../../src/process/errors.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'
import { FakeCluster } from './fake-kubernetes.ts'

const id = inventoryId('shop', 'app')
const options: CheckOptions = { fieldManager: 'k8s-platform/app', id, force: false }

function config(name: string, data: object = {}, metadata: object = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop', ...metadata }, data }
}

const ours = { labels: { [partOfLabel]: id } }
const namespaceObject = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
const scoped = (object: KubeObject) => ({ object, at: 'app.yaml:1', kindIsNew: false })

/** Conflict over `.data.x` with this manager, until forced. */
function conflictWith(manager: string): FakeCluster['admit'] {
  return (applied, live, given) => {
    if (given?.force === true) return { ...live, ...applied }
    const cause = { reason: 'FieldManagerConflict', message: `conflict with "${manager}"`, field: '.data.x' }
    throw new ApiError('PATCH x', 409, 'Conflict', 'Apply failed with 1 conflict', [cause])
  }
}

describe('the judgement of objects', () => {
  it('tells what is new, what differs and what is as it should be', async () => {
    const cluster = new FakeCluster().put(config('same', { x: '1' }), config('other', { x: '1' }))
    const wanted = [config('same', { x: '1' }), config('other', { x: '2' }), config('new')]
    const { checked, problems } = await checkObjects(cluster.client(), wanted.map(scoped), options)
    expect(problems).toEqual([])
    expect(checked.map(({ object, change }) => [object.metadata.name, change])).toEqual([
      ['same', 'unchanged'],
      ['other', 'change'],
      ['new', 'create'],
    ])
  })

  it('tells every refusal, and defers what waits for another object of the deployment', async () => {
    const cluster = new FakeCluster()
    cluster.admit = (applied) => {
      const missing = applied.metadata.name === 'pod' ? 'builder' : 'nobody'
      throw new ApiError('PATCH x', 403, 'Forbidden', `serviceaccount "${missing}" not found`)
    }
    const wanted = [config('pod'), config('builder'), config('web')].map(scoped)
    const { checked, problems } = await checkObjects(cluster.client(), wanted, options)
    expect(checked.map(({ object, deferred }) => [object.metadata.name, deferred])).toEqual([['pod', true]])
    expect(problems.map(({ name }) => name)).toEqual(['app.yaml:1 ConfigMap builder', 'app.yaml:1 ConfigMap web'])
  })

  it('takes back what was edited by hand on our objects, and nothing that others apply or own', async () => {
    const edited = { managedFields: [{ manager: 'kubectl-edit', operation: 'Update' }] }
    const applies = { managedFields: [{ manager: 'argocd', operation: 'Apply' }] }
    const judge = (manager: string, metadata: object): ReturnType<typeof checkObjects> => {
      const cluster = new FakeCluster().put(config('web', { x: '2' }, metadata))
      cluster.admit = conflictWith(manager)
      return checkObjects(cluster.client(), [scoped(config('web', { x: '1' }))], options)
    }
    expect((await judge('kubectl-edit', { ...ours, ...edited })).checked[0]).toMatchObject({
      change: 'change',
      overruled: [{ applies: false }],
    })
    for (const result of [await judge('argocd', { ...ours, ...applies }), await judge('kubectl-edit', edited)]) {
      expect(result.checked).toEqual([])
      expect(result.problems[0]?.problem).toContain('fields that belong to others')
      expect(result.problems[0]?.allowed).toContain('force-conflicts')
    }
  })
})

describe('applying', () => {
  const writable = (...objects: KubeObject[]): FakeCluster => {
    const cluster = new FakeCluster().put(...objects)
    cluster.writable = true
    return cluster
  }

  it('writes only what differs, and waits for the end of what is ending', async () => {
    const ending = config('old', {}, { uid: '1', deletionTimestamp: '2026-11-21T10:00:00Z' })
    const cluster = writable(config('same'), ending)
    const { checked } = await checkObjects(cluster.client(), [config('same'), config('old')].map(scoped), options)
    const applied = applyObjects(testHost(), cluster.client(), checked, options, 60_000)
    setImmediate(() => cluster.remove({ kind: 'ConfigMap', name: 'old', namespace: 'shop' }))
    expect((await applied).map(({ change }) => change)).toEqual(['unchanged', 'create'])
    expect(cluster.writes).toEqual(['apply ConfigMap/shop/old'])
  })

  it('tells what was applied before the refusal', async () => {
    const cluster = writable()
    const service = { ...config('web'), kind: 'Service' }
    const { checked } = await checkObjects(cluster.client(), [service, config('web')].map(scoped), options)
    cluster.admit = (applied) => {
      if (applied.kind === 'Service') throw new ApiError('PATCH x', 422, 'Invalid', 'port taken')
      return applied
    }
    const error = await applyObjects(testHost(), cluster.client(), checked, options, 60_000).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'APPLY_FAILED', diagnostics: ['applied before it:', 'ConfigMap shop/web'] })
  })
})

describe('pruning', () => {
  it('removes what is ours, keeps data and what is still ending, leaves what is not ours', async () => {
    const claim = { ...config('data', {}, ours), kind: 'PersistentVolumeClaim' }
    const [gone, held, foreign] = [
      config('gone', {}, { ...ours, uid: '1' }),
      config('held', {}, { ...ours, uid: '2', finalizers: ['example.com/keep'] }),
      config('foreign'),
    ]
    const cluster = new FakeCluster().put(claim, gone, held, foreign)
    cluster.held.add('ConfigMap/shop/held')
    const log = recordingLogger()
    const refs = [claim, gone, held, foreign, config('never')].map(refOf)
    const { removed, kept } = await pruneObjects(testHost({ log }), cluster.client(), refs, id, 50)
    expect(removed).toEqual([refOf(gone)])
    expect(kept).toEqual([refOf(claim), refOf(held)])
    expect(cluster.writes).toEqual(['delete ConfigMap/shop/gone', 'delete ConfigMap/shop/held'])
    expect(log.lines.find((line) => line.startsWith('warning'))).toContain('example.com/keep')
  })
})

describe('the inventory', () => {
  it('is read as it was written, and one changed beyond use is told', async () => {
    const cluster = new FakeCluster()
    cluster.writable = true
    const inventory = { revision: 3, inputs: 'abc', objects: [refOf(config('web'))] }
    expect(await readInventory(cluster.client(), 'shop', 'app')).toBeUndefined()
    await writeInventory(cluster.client(), 'shop', 'app', inventory)
    expect(await readInventory(cluster.client(), 'shop', 'app')).toEqual(inventory)
    cluster.put(config('k8s-platform.app', { revision: '3', objects: '[{}]' }))
    await expect(readInventory(cluster.client(), 'shop', 'app')).rejects.toMatchObject({ code: 'INVENTORY_BROKEN' })
  })
})

describe('namespaces', () => {
  const prepare = async (cluster: FakeCluster, request: { create?: boolean; dryRun?: boolean } = {}) => {
    cluster.put({ ...config('default'), kind: 'ServiceAccount' })
    const made: string[] = []
    const asked = { namespace: 'shop', create: true, dryRun: false, made, ...request }
    const result = await prepareNamespaces(cluster.client(), [scoped(config('a'))], asked, options)
    return { made, missing: [...result.missing], problems: result.problems.map(({ value }) => value) }
  }

  it('are made, told as missing, or found', async () => {
    expect(await prepare(new FakeCluster())).toEqual({ made: ['shop'], missing: [], problems: [] })
    expect(await prepare(new FakeCluster(), { dryRun: true })).toEqual({ made: [], missing: ['shop'], problems: [] })
    expect(await prepare(new FakeCluster(), { create: false })).toEqual({
      made: [],
      missing: ['shop'],
      problems: ['shop'],
    })
    expect(await prepare(new FakeCluster().put(namespaceObject('shop')))).toEqual({
      made: [],
      missing: [],
      problems: [],
    })
  })

  it('are taken to be there by a user who may not look', async () => {
    const cluster = new FakeCluster()
    cluster.denied.add('get Namespace')
    for (const request of [{}, { create: false }, { dryRun: true }])
      expect(await prepare(cluster, request)).toMatchObject({ missing: [], problems: [] })
  })
})

describe('a deployment of objects', () => {
  const request = (cluster: FakeCluster, objects: readonly KubeObject[]): ObjectsRequest => ({
    objects: objects.map((object) => ({ object, at: 'app.yaml:1' })),
    release: 'app',
    namespace: { name: 'shop', given: true },
    createNamespace: true,
    forceConflicts: false,
    dryRun: false,
    timeoutMs: 60_000,
    connect: async (signal) => cluster.client(signal),
  })
  const world = (): FakeCluster => {
    const cluster = new FakeCluster().put({ ...config('default'), kind: 'ServiceAccount' })
    cluster.writable = true
    return cluster
  }
  const refuse: FakeCluster['admit'] = () => {
    throw new ApiError('PATCH x', 422, 'Invalid', 'no good')
  }

  it('is refused with the objects at fault, also where the namespace made for it may not be removed', async () => {
    const cluster = world()
    cluster.admit = refuse
    cluster.denied.add('delete Namespace')
    const log = recordingLogger()
    const error = await deployObjects(testHost({ log }), cluster.client(), request(cluster, [config('web')])).catch(
      (e: unknown) => e,
    )
    expect(error).toBeInstanceOf(InputError)
    expect((error as ToolkitError).message).toContain('ConfigMap web is refused: no good')
    expect(log.lines.join()).toContain('warning: made for this deployment, and not seen removed again: namespace shop')
  })

  it('takes the namespace made for it back when it is cancelled', async () => {
    const cluster = world()
    const run = new AbortController()
    cluster.admit = () => {
      run.abort()
      throw new ToolkitError('cancelled', { code: 'CANCELLED' })
    }
    const host = testHost({ signal: run.signal })
    const client = cluster.client(run.signal)
    await expect(deployObjects(host, client, request(cluster, [config('web')]))).rejects.toThrow('cancelled')
    expect(cluster.writes).toEqual(['create Namespace//shop', 'delete Namespace//shop'])
  })

  it('remembers what prune has not seen gone, until it is', async () => {
    const cluster = world().put(namespaceObject('shop'))
    const host = testHost()
    const objects = [config('a', {}, { uid: '1' }), config('b', {}, { uid: '2' })]
    await deployObjects(host, cluster.client(), request(cluster, objects))
    cluster.held.add('ConfigMap/shop/b')
    const second = await deployObjects(host, cluster.client(), request(cluster, objects.slice(0, 1)))
    expect(await second.prune(50)).toEqual({ removed: [], kept: [refOf(config('b'))] })
    const names = async (): Promise<string[] | undefined> =>
      (await readInventory(cluster.client(), 'shop', 'app'))?.objects.map(({ name }) => name)
    expect(await names()).toEqual(['a', 'b'])
    cluster.held.clear()
    const third = await deployObjects(host, cluster.client(), request(cluster, objects.slice(0, 1)))
    expect(await third.prune(50)).toEqual({ removed: [refOf(config('b'))], kept: [] })
    expect(await names()).toEqual(['a'])
    // Gone by itself meanwhile: neither pruned nor left.
    expect(await third.prune(50)).toEqual({ removed: [], kept: [] })
  })
})
