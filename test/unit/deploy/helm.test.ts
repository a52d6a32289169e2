import { describe, expect, it } from 'vitest'
import { findDrift } from '../../../src/deploy/drift.ts'
import {
  givenValues,
  type HelmTarget,
  type HelmUpgrade,
  helmUpgrade,
  upgradeArgs,
  type ValuesSource,
} from '../../../src/deploy/helm.ts'
import { clearDeadOperation, manifestObjects, releaseRecords } from '../../../src/deploy/helm-record.ts'
import { ensureNamespace, restrictedNamespace } from '../../../src/deploy/namespace.ts'
import { ApiError } from '../../../src/kubernetes/api-error.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import { InputError, type ToolkitError } from '../../../src/process/errors.ts'
import type { RunOptions } from '../../../src/process/exec.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'
import { FakeCluster } from './fake-kubernetes.ts'
import { helmRecord } from './helm-record-fixture.ts'

const target: HelmTarget = {
  helm: '/tools/helm',
  kubeconfig: '/tmp/kube config',
  context: 'kind-demo',
  namespace: 'shop',
}
const upgrade: HelmUpgrade = {
  release: 'shop',
  chart: '/charts/shop',
  labels: { inputs: 'abc' },
  values: [givenValues, '/app/my values.yaml'],
}

describe('helm upgrade', () => {
  it('names every place by argument and takes values on stdin', () => {
    expect(upgradeArgs(target, upgrade)).toEqual([
      'upgrade',
      'shop',
      '/charts/shop',
      '--install',
      '--namespace=shop',
      '--kubeconfig=/tmp/kube config',
      '--kube-context=kind-demo',
      '--reset-values',
      '--values=-',
      '--values=/app/my values.yaml',
      '--history-max=5',
      '--labels=inputs=abc',
      '--output=json',
    ])
  })

  it('names each values file as one file, in order, whatever its name is', () => {
    const values: ValuesSource[] = ['/a/x,y.yaml', '/a/"z".yaml', givenValues, '-', 'https://example.com/v.yaml']
    const args = upgradeArgs(target, { ...upgrade, values }).filter((argument) => argument.startsWith('--values='))
    expect(args).toEqual([
      '--values="/a/x,y.yaml"',
      '--values="/a/""z"".yaml"',
      '--values=-',
      `--values=${process.cwd()}/-`,
      `--values=${process.cwd()}/https:/example.com/v.yaml`,
    ])
  })

  it("gives Helm its own folders and none of the user's variables that would redirect it", async () => {
    let options: RunOptions = {}
    const exec = scriptedExec([
      [
        /helm upgrade/,
        (_line, given) => {
          options = given
          return JSON.stringify({ name: 'shop', version: 3, manifest: '', info: { status: 'deployed' } })
        },
      ],
    ])
    const env = { PATH: '/bin', HELM_NAMESPACE: 'other', HELM_DRIVER: 'memory', KUBECONFIG: '/other' }
    const host = testHost({ exec, env })
    const release = await helmUpgrade(host, target, upgrade, { password: 'secret' }, 1_000)
    expect(release.version).toBe(3)
    expect(options.input).toBe('{"password":"secret"}')
    expect(options.env).toEqual({
      PATH: '/bin',
      HELM_CACHE_HOME: `${host.paths.temp}/helm/cache`,
      HELM_CONFIG_HOME: `${host.paths.temp}/helm/config`,
      HELM_DATA_HOME: `${host.paths.temp}/helm/data`,
      HELM_DRIVER: 'secret',
      KUBECACHEDIR: `${host.paths.temp}/helm/kube`,
    })
  })

  async function refused(stderr: string): Promise<ToolkitError> {
    const host = testHost({ exec: scriptedExec([[/helm/, { exitCode: 1, stderr }]]) })
    return helmUpgrade(host, target, upgrade, {}, 1_000).then(
      () => expect.unreachable(),
      (error: ToolkitError) => error,
    )
  }

  it('makes one input error of everything the schema refuses', async () => {
    const error = await refused(
      "Error: UPGRADE FAILED: values don't meet the specifications of the schema(s) in the following chart(s):\nshop:\n- at '/vote': additional properties 'replica' not allowed\n- at '/redis/storage/size': got null, want string\n",
    )
    expect(error).toBeInstanceOf(InputError)
    expect(error.message).toBe(
      "2 problems:\n- values.vote additional properties 'replica' not allowed\n- values.redis.storage.size got null, want string",
    )
  })

  it('quotes any other refusal whole and adds the cure it knows', async () => {
    const error = await refused(
      'Error: UPGRADE FAILED: 2 errors occurred:\n\t* Service "result-service" is invalid: nodePort: Invalid value: 30081: provided port is already allocated\n\t* Service "vote-service" is invalid: nodePort: Invalid value: 30080: provided port is already allocated\n\n\n',
    )
    expect(error.code).toBe('HELM_FAILED')
    expect(error.message).toBe(
      'release shop could not be deployed: Service "result-service" is invalid: nodePort: Invalid value: 30081: provided port is already allocated; Service "vote-service" is invalid: nodePort: Invalid value: 30080: provided port is already allocated',
    )
    expect(error.hint).toContain('nodePort')
    const forbidden = await refused('Error: UPGRADE FAILED: configmaps "a" is forbidden: User "ci" cannot get resource')
    expect(forbidden.hint).toContain('docs/deploy.md')
  })
})

const manifest =
  'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n# only a comment\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b, namespace: other}\n'

function record(revision: number, status: string, modifiedAt: number): KubeObject {
  const labels = { modifiedAt: String(modifiedAt), inputs: 'abc' }
  return helmRecord({ release: 'shop', namespace: 'shop', revision, manifest, status, labels })
}

describe("Helm's records", () => {
  it('reads revisions as numbers, newest first, and the objects with their namespaces', async () => {
    const cluster = new FakeCluster().put(record(9, 'superseded', 1), record(10, 'deployed', 2))
    const [latest, before] = await releaseRecords(cluster.client(), 'shop', 'shop')
    expect([latest?.revision, latest?.status, latest?.labels['inputs'], before?.revision]).toEqual([
      10,
      'deployed',
      'abc',
      9,
    ])
    expect(
      latest?.objects().map((object) => `${object.kind} ${object.metadata.namespace}/${object.metadata.name}`),
    ).toEqual(['ConfigMap shop/a', 'Service other/b'])
    expect(manifestObjects('', 'shop')).toEqual([])
    expect(manifestObjects('kind: X\nmetadata: {name: a}\nmode: 0440\n', 'shop')[0]?.['mode']).toBe(0o440)
  })

  it('removes the record of an operation that died, and only that', async () => {
    const longAgo = Math.floor(Date.now() / 1_000) - 3_600
    const cluster = new FakeCluster().put(record(1, 'deployed', longAgo), record(2, 'pending-upgrade', longAgo))
    const records = await clearDeadOperation(testHost(), cluster.client(), 'shop', 'shop', 60_000)
    expect(records.map((entry) => entry.revision)).toEqual([1])
    expect(cluster.writes).toEqual(['delete Secret/shop/sh.helm.release.v1.shop.v2'])
  })

  it('leaves the record of one that may still go on, until it ends', async () => {
    const now = Math.floor(Date.now() / 1_000)
    const cluster = new FakeCluster().put(record(1, 'pending-install', now))
    const wait = clearDeadOperation(testHost(), cluster.client(), 'shop', 'shop', 60_000)
    setTimeout(() => cluster.put(record(1, 'deployed', now)), 20)
    expect((await wait)[0]?.status).toBe('deployed')
    expect(cluster.writes).toEqual([])
  })
})

describe('the time of a deployment', () => {
  it('bounds the wait for an operation of another run, whose record is left alone', async () => {
    const now = Math.floor(Date.now() / 1_000)
    const cluster = new FakeCluster().put(record(1, 'pending-install', now))
    await expect(clearDeadOperation(testHost(), cluster.client(), 'shop', 'shop', 30)).rejects.toThrow(
      'another Helm operation on release shop is going on: revision 1 is pending-install',
    )
    expect(cluster.writes).toEqual([])
  })
})

describe('drift', () => {
  const config = (data: object, metadata: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'shop', ...metadata },
    data,
  })

  it('is none when applying would change nothing but bookkeeping', async () => {
    const cluster = new FakeCluster().put(config({ x: '1' }, { resourceVersion: '5', uid: 'u' }))
    cluster.admit = (applied, live) => ({
      ...live,
      ...applied,
      metadata: { ...live?.metadata, ...applied.metadata, resourceVersion: '6', managedFields: [{}] },
    })
    expect(await findDrift(cluster.client(), [config({ x: '1' })])).toEqual([])
  })

  it('names what was edited, deleted, or cannot be applied any more', async () => {
    const cluster = new FakeCluster().put(config({ x: '2' }), config({}, { name: 'fixed' }))
    cluster.admit = (applied, live) => {
      if (applied.metadata.name === 'fixed') throw new ApiError('PATCH x', 422, 'Invalid', 'field is immutable')
      return { ...live, ...applied }
    }
    const wanted = [config({ x: '1' }), config({}, { name: 'gone' }), config({}, { name: 'fixed' })]
    expect(await findDrift(cluster.client(), wanted)).toEqual([
      'ConfigMap shop/a',
      'ConfigMap shop/gone',
      'ConfigMap shop/fixed',
    ])
  })
})

describe('the namespace', () => {
  it('is made with the labels given, and left alone when it exists', async () => {
    const cluster = new FakeCluster()
    expect(await ensureNamespace(cluster.client(), 'shop', restrictedNamespace)).toBe(true)
    expect(cluster.objects.get('Namespace//shop')?.metadata.labels?.['pod-security.kubernetes.io/enforce']).toBe(
      'restricted',
    )
    expect(await ensureNamespace(cluster.client(), 'shop')).toBe(false)
    expect(cluster.writes).toEqual(['create Namespace//shop'])
  })

  it('is taken to be there by a user who may not look', async () => {
    const client = new FakeCluster().client()
    const refuse = (): never => {
      throw new ApiError('GET x', 403, 'Forbidden', 'namespaces is forbidden')
    }
    await ensureNamespace({ ...client, get: refuse }, 'shop')
  })
})
